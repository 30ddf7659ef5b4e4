"""The paper's Figures 5, 12 and 13: `python -m benchmarks.paper_efficiency quick -o DIR`.

Prints a line a network as soon as it is known and, at the end, the table and where the figures are. `ATTRAX_DATA` names
the folder with MNIST; without it, scikit-learn's digits stand in.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from attrax.cli._output import strict
from attrax.paper.experiments import (
    EFFICIENCY_MODES,
    EFFICIENCY_SCALES,
    EfficiencyTrial,
    efficiency_figure,
    efficiency_study,
    efficiency_text,
    spectra_figure,
)
from attrax.report import write_figure
from benchmarks.measure import machine


def main() -> None:
    """Runs one study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", choices=EFFICIENCY_SCALES)
    parser.add_argument("--mode", action="append", choices=EFFICIENCY_MODES)
    parser.add_argument("-o", "--output", type=Path, default=Path("paper-efficiency"))
    options = parser.parse_args()
    print(f"{EFFICIENCY_SCALES[options.scale]}\n{machine()}\n", flush=True)

    def each(trial: EfficiencyTrial) -> None:
        setting = f"{trial.mode:>7} length {trial.length:>3}, {trial.depth}×{trial.width}, seed {trial.seed}"
        print(
            f"{setting}: certified {trial.certified}, stable {trial.stable}, loss {trial.loss:.1e}, {trial.epochs} "
            f"epochs, {trial.writer}, {trial.status}, {trial.seconds:.0f} s",
            flush=True,
        )

    study = efficiency_study(options.scale, modes=options.mode or EFFICIENCY_MODES, each=each)
    print(f"\n{study.data.source}, least distance of two examples {study.data.nearest:.3g}, {study.seconds:.0f} s\n")
    print(efficiency_text(study))
    figures = {"fig5": efficiency_figure(study)}
    if "paper" in study.modes and 1 in study.scale.lengths:
        figures |= {"fig12": spectra_figure(study, "radii"), "fig13": spectra_figure(study, "eigenvalues")}
    for name, figure in figures.items():
        print(f"written: {write_figure(figure, options.output, f'{name}-{options.scale}')[0]}")
    record = strict([asdict(trial) for trial in study.trials])
    (options.output / f"fig5-{options.scale}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
