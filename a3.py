import sys
from pathlib import Path
if __name__ == "__main__":
    from attacks.harness import run
    from attacks.files import Files
    from collections import Counter
    for re in (False, True):
        r = run(Files(re), scale=float(sys.argv[1]), seed=int(sys.argv[2]), jobs=1, folder=Path("/tmp/attack-out"), told=lambda s: print(s, flush=True))
        for k,v in r.counts.items(): print(f"{k:50s}{v}")
        c=Counter(v[:110] for v in r.failures.values())
        for k,v in c.most_common(40): print(v,k)
        print(r.seconds, r.memory/1e9, r.cases)
