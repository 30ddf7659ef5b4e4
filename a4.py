import sys
from pathlib import Path
if __name__ == "__main__":
    from attacks.harness import run
    from attacks.starts import Starts
    r = run(Starts(), scale=float(sys.argv[1]), seed=int(sys.argv[2]), jobs=1, folder=Path("/tmp/attack-out"), told=lambda s: print(s, flush=True))
    for k,v in r.counts.items(): print(f"{k:50s}{v}")
    for k,v in r.failures.items(): print(k,v)
    print(r.seconds, r.memory/1e9, r.cases)
