"""Tables of activations and corruptions in the documentation come from the records, and its Python runs."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.named import forgetting

from attrax.corruptions import CORRUPTIONS
from attrax.report import activation_table, corruption_table

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"networks.md": activation_table, "getting-started.md": corruption_table}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with forgetting():
        yield


@pytest.mark.parametrize(("page", "table"), PAGES.items(), ids=PAGES)
def test_tables_are_those_of_the_records(page: str, table: Callable[[], str]) -> None:
    assert table() in (DOCS / page).read_text(encoding="utf-8"), f"docs/{page} should contain\n{table()}"


@pytest.mark.parametrize("page", PAGES)
def test_python_runs(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = [block for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S) if "register" in block]
    assert blocks
    for block in blocks:
        exec(block, {})


def test_corruptions_named_in_the_documentation_exist() -> None:
    for page in set(DOCS.glob("*.md")) - {DOCS / "extending.md"}:  # which adds a kind
        for kind in re.findall(r"--(?:train-)?corrupt(?:ion)? ([a-z]+)", page.read_text(encoding="utf-8")):
            assert kind in CORRUPTIONS, f"{page.name} names {kind}"
