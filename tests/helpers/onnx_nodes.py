"""The node tests of ONNX: which of them pass. Run as a program, it writes the table docs/onnx-operators.md.

They are shipped with the package onnx: `onnx.backend.test`, small graphs with inputs and the outputs that ONNX expects.
"""

import importlib
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from attrax.extending import float64
from attrax.foreign import ForeignError
from attrax.foreign._operators import OPERATORS  # the table of operators
from attrax.foreign._read import program_of  # a program that is no map

TABLE = Path(__file__).parents[2] / "docs" / "onnx-operators.md"
_ROUNDED = {"DFT": 1e-6}
"""Operators whose expected outputs are themselves rounded: up to this share of the largest."""
_NOT_OPERATORS = ("Body",)


@dataclass(frozen=True)
class Outcome:
    """What became of one test: `passed`, `refused` or `failed`, and why."""

    test: str
    operator: tuple[str, str]
    status: str
    why: str = ""


def cases(*modules: str) -> list[Any]:
    """The tests of these modules of `onnx.backend.test.case.node`, by default of all."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        node = importlib.import_module("onnx.backend.test.case.node")
        if modules:
            for name in modules:
                importlib.import_module(f"onnx.backend.test.case.node.{name}")
        else:
            importlib.import_module("onnx.backend.test.loader").load_node_model_tests()
    return list({case.name: case for case in node._NodeTestCases}.values())


def run(case: Any) -> Outcome:
    """Runs one test. Floating-point inputs are given as arrays of JAX, so nothing is known beforehand."""
    operator = _operator(case)
    try:
        with float64():
            program = program_of(case.model, None)
            for given, wanted in case.data_sets:
                names = [one.name for one in case.model.graph.input]
                inputs = {name: _given(value) for name, value in zip(names, given, strict=True)}
                found = [*program.call(inputs).values()]
                for one, exact in zip(found, wanted, strict=True):
                    _compare(one, _plain(exact), case, operator[1])
    except ForeignError as error:
        return Outcome(case.name, operator, "refused", str(error))
    except Exception as error:  # whatever goes wrong, the table says so
        said = " ".join(str(error).split())[:200]
        return Outcome(case.name, operator, "failed", f"{type(error).__name__}: {said}")
    return Outcome(case.name, operator, "passed")


def _operator(case: Any) -> tuple[str, str]:
    node = case.model.graph.node[-1 if case.model.graph.node[0].op_type in ("Constant", "SequenceConstruct") else 0]
    return ("" if node.domain == "ai.onnx" else node.domain), node.op_type


def _plain(value: Any) -> Any:
    """Tensors of ONNX as arrays."""
    if hasattr(value, "data_type"):
        return importlib.import_module("onnx.numpy_helper").to_array(value)
    return value


def _given(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, list):
        return [_given(one) for one in value]
    return jnp.asarray(value) if isinstance(value, np.ndarray) and value.dtype.kind in "fV" else value


def _compare(found: Any, wanted: Any, case: Any, operator: str) -> None:
    if isinstance(wanted, list):
        assert len(found) == len(wanted), f"{len(found)} values; expected {len(wanted)}"
        for one, exact in zip(found, wanted, strict=True):
            _compare(one, _plain(exact), case, operator)
        return
    if wanted is None:
        assert found is None, "a value where none is expected"
        return
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape, f"shape {found.shape}; expected {wanted.shape}"
    assert found.dtype == wanted.dtype, f"dtype {found.dtype}; expected {wanted.dtype}"
    # As the tests themselves say: two units in the last place of bfloat16.
    rtol = max(case.rtol, 2**-6) if wanted.dtype.name == "bfloat16" else case.rtol
    if wanted.dtype.kind in "fVc":
        kind = np.complex128 if wanted.dtype.kind == "c" else np.float64
        found, wanted = found.astype(kind), wanted.astype(kind)
    atol = max(case.atol, _ROUNDED.get(operator, 0.0) * float(np.max(np.abs(wanted), initial=0.0)))
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


def by_operator(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], list[Outcome]]:
    """The outcomes by operator. What ONNX's definition of an operator gives is a test of that operator."""
    listed = [*outcomes]
    whole = {one.test: one.operator for one in listed}
    found: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for one in listed:
        found[whole.get(one.test.partition("_expanded")[0], one.operator)].append(one)
    return dict(found)


def table(outcomes: Iterable[Outcome], version: str) -> str:
    """The page of the documentation."""
    found = by_operator(outcomes)
    total = [one for several in found.values() for one in several]
    counts = {status: sum(one.status == status for one in total) for status in ("passed", "refused", "failed")}
    taken, part, not_taken = [], [], []
    for (domain, name), several in sorted(found.items(), key=lambda item: (item[0][0], item[0][1].lower())):
        passed = sum(one.status == "passed" for one in several)
        shown = f"{domain}.{name}" if domain else name
        rest = "; ".join(dict.fromkeys(_short(one) for one in several if one.status != "passed"))
        if passed == len(several):
            taken.append(f"| {shown} | {passed} of {len(several)} |")
        elif passed:
            part.append(f"| {shown} | {passed} of {len(several)} | {rest} |")
        else:
            not_taken.append(f"{shown} ({len(several)})")
    untested = sorted({name for domain, name in OPERATORS if (domain, name) not in found} - {*_NOT_OPERATORS})
    lines = [
        "# Operators of ONNX",
        "",
        f"attrax runs ONNX's own node tests, those of onnx {version}: {counts['passed']:,} of {len(total):,} pass, "
        f"{counts['failed']} fail, and {counts['refused']} are refused with a sentence that says why. Tests of an "
        "operator that ONNX defines by other operators are run twice, with it and with its definition. `make "
        "onnx-tests` runs them again and writes this page.",
        "",
        "An operator outside these lists is refused by name, with the nodes that need it.",
        "",
        "## Supported: every test passes",
        "",
        "| operator | tests |",
        "|---|---|",
        *taken,
        "",
        f"Without a test of their own in ONNX: {', '.join(untested)}.",
        "",
        "## Supported in part",
        "",
        "| operator | tests | refused |",
        "|---|---|---|",
        *part,
        "",
        "## Not supported",
        "",
        "With the number of tests: " + ", ".join(not_taken) + ".",
        "",
    ]
    return "\n".join(lines)


def _short(one: Outcome) -> str:
    why = one.why.partition("; ")[0].partition(" (needed by")[0]
    why = why.partition(") ")[2] if why.startswith("node ") else why
    return ("FAILED: " if one.status == "failed" else "") + why.replace("|", "/")


def main() -> int:
    """Runs all tests and writes the page. The exit status is 1 if one fails."""
    import onnx

    outcomes = []
    for number, case in enumerate(listed := cases(), start=1):
        outcomes.append(run(case))
        if outcomes[-1].status == "failed":
            print(f"failed: {case.name}: {outcomes[-1].why}", flush=True)
        if number % 100 == 0:
            print(f"{number} of {len(listed)}", file=sys.stderr, flush=True)
    TABLE.write_text(table(outcomes, onnx.__version__))
    counts = {status: sum(one.status == status for one in outcomes) for status in ("passed", "refused", "failed")}
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
