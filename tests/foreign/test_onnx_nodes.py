"""Some of ONNX's own node tests. All of them take minutes; `make onnx-tests` runs them."""

import pytest
from helpers.onnx_nodes import TABLE, cases, run

from attrax.foreign._operators import OPERATORS  # the table of operators

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")
pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = (
    "concat",
    "flatten",
    "if_",
    "matmul",
    "reshape",
    "slice",
    "softmax",
    "split",
    "trilu",
    "where",
)
"""Modules of ONNX's tests that take little time."""


def test_node_tests_of_onnx_pass() -> None:
    outcomes = [run(case) for case in cases(*FAMILIES)]
    assert len(outcomes) >= 80
    assert not [one for one in outcomes if one.status == "failed"]
    passed = sum(one.status == "passed" for one in outcomes)
    assert passed >= 0.94 * len(outcomes)


def test_the_page_lists_every_operator() -> None:
    page = TABLE.read_text()
    missing = [
        name
        for domain, name in OPERATORS
        if name != "Body" and f"| {domain + '.' if domain else ''}{name} |" not in page and f" {name}" not in page
    ]
    assert not missing, "run make onnx-tests"
    assert "FAILED" not in page
    assert " 0 fail" in page
