"""What a test registers is forgotten after it."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrax.activations import _named as activations  # its table is put back
from attrax.corruptions import _named as corruptions  # its table is put back


@contextmanager
def forgetting() -> Iterator[None]:
    """Activations and corruptions that are registered inside are unknown again outside."""
    # There is no public way to take a name back, as networks in use may refer to it.
    tables = [activations._TABLE, corruptions._TABLE]
    before = [dict(table) for table in tables]
    try:
        yield
    finally:
        for table, names in zip(tables, before, strict=True):
            table.clear()
            table.update(names)
