"""What `attrax audit` prints for people."""

import math
from typing import Any

from attrax._base.arguments import printable
from attrax._base.wording import counted, time_constant_text
from attrax.cli._output import number, percent, radius

_ENDS, _EXAMPLES = 12, 20


def print_audit(found: Any, facts: dict[str, Any], step_seconds: float | None) -> None:
    """The text of an audit, with `facts` about the command."""
    print(f"network: {printable(facts['map'])}")
    if "against" in facts:
        difference = facts["difference"]
        within = "" if difference is None else f" within {number(difference)} of the largest output"
        print(f"compared with {printable(facts['against'])}{within}" if difference is not None else facts["against"])
    ends, shares = found.ends, found.from_noise
    if "steps_per_round" in facts:
        print(f"one step below is a round of {facts['steps_per_round']} inputs")
    print(
        f"{counted(ends.num_attractors, 'certified attractor')} among {counted(len(ends.ends), 'end')} of "
        f"{counted(len(ends.label), 'start')}; "
        f"{ends.diverged} diverged, {ends.not_converged} not converged"
    )
    for place, end in enumerate(ends.ends[:_ENDS]):
        what = f"{end.kind}{f' of period {end.period}' if end.period > 1 else ''}".replace("_", " ")
        if end.marginal:
            what = f"{'line' if end.marginal == 1 else 'plane' if end.marginal == 2 else 'space'} of fixed points"
        print(
            f"  end {place}: {what}, {'attractor by estimate' if end.estimated else str(end.verdict).replace('_', ' ')} "
            f"({end.evidence}, {str(end.reason).replace('_', ' ')}), "
            f"radius {radius(end.spectral_radius)}, {_constant(end.time_constant, step_seconds)}, "
            f"{counted(end.count, 'start')}, {percent(float(shares[place]))} of those from noise"
        )
    if len(ends.ends) > _ENDS:
        print(f"  and {len(ends.ends) - _ENDS} more ends: --json has them all")
    for one in ends.moving:
        print(f"  {one.sentence(step_seconds)}")
    for kind, row in found.by_start().items():
        at = f", {row['attractors']} of them at {counted(row['different_attractors'], 'certified attractor')}"
        bound = f" (elsewhere at most {percent(row['elsewhere_bound'])})"
        print(
            f"  from {kind}: {row['converged']}/{row['starts']} converged{(at + bound) if ends.num_attractors else ''}"
        )
    if found.examples is not None:
        _print_examples(found.examples)
    for note in found.notes:
        print(f"note: {note}")
    if "page" in facts:
        print(f"wrote {facts['page']}")


def _print_examples(table: Any) -> None:
    verdicts = [str(one.verdict) for one in table.examples]
    listed = ", ".join(f"{verdicts.count(one)} {one.replace('_', ' ')}" for one in dict.fromkeys(verdicts))
    print(f"examples: {listed}")
    for index, one in enumerate(table.examples[:_EXAMPLES]):
        back = ", ".join(name for name, came in one.recovered.items() if came) or "none"
        filled = [name for name, came in one.restored.items() if came]
        back += f", restored from {', '.join(filled)} with an unknown mask" if filled else ""
        judged = ""
        if one.memorized is not None:
            judged = f", {'memorized' if one.memorized else 'not shown to be memorized'} (p = {number(one.p_value)})"
        verdict, reason = (str(name).replace("_", " ") for name in (one.verdict, one.reason))
        why = "" if reason == verdict else f" ({reason})"
        print(
            f"  {index}: {verdict}{why}, one step keeps {number(one.contraction)} of a deviation, recovered "
            f"from {back}, nearest end {one.nearest} at {number(one.distance)} (cosine {number(one.cosine)}){judged}"
        )
    if len(table.examples) > _EXAMPLES:
        print(f"  and {len(table.examples) - _EXAMPLES} more: --json has them all")
    if table.num_memorized is not None:
        whole = "of those called so" if table.procedure == "benjamini_hochberg" else "each"
        print(
            f"memorized: {table.num_memorized} of {len(table.examples)}, at a rate of false accusations of {table.rate:g} "
            f"{whole} ({table.held_out} held-out examples)"
        )
    print(f"found without the data: {table.num_extracted} of {len(table.examples)}")


def _constant(steps: float, step_seconds: float | None) -> str:
    return "no decay" if steps == math.inf else f"time constant {time_constant_text(steps, step_seconds)}"
