"""What all tests share."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _forget_compiled_code() -> Iterator[None]:
    """Each compiled function keeps memory maps, of which a process may have so many; hundreds of tests exhaust them."""
    yield
    jax.clear_caches()
