"""Runs the command line and writes down what was compiled: `python -m benchmarks.compiled FILE store digits --n 5 …`.

FILE gets one JSON object: the number of programs that were compiled and of those that came from the cache, and seconds
of tracing and of compiling, reading the cache included.
"""

import importlib.abc
import importlib.util
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

_TRACED = ("/jax/core/compile/jaxpr_trace_duration", "/jax/core/compile/jaxpr_to_mlir_module_duration")
_COMPILED, _FROM_CACHE = "/jax/core/compile/backend_compile_duration", "/jax/compilation_cache/cache_hits"


class _AfterImport(importlib.abc.MetaPathFinder):
    """Calls a function once `jax` has been imported: the command line prepares JAX before that, so it can't be done
    earlier."""

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The specification of `jax`, whose loader calls the function at its end."""
        if fullname != "jax":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec is not None  # JAX is installed
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def loaded(module: Any) -> None:
            execute(module)
            self._then()

        spec.loader.exec_module = loaded
        return spec


def main(arguments: list[str]) -> None:
    """Runs one command and ends as it does."""
    counts: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)

    def lasted(event: str, duration_secs: float, **_: object) -> None:
        counts[event] += 1
        seconds[event] += duration_secs

    def listen() -> None:
        from jax import monitoring

        monitoring.register_event_duration_secs_listener(lasted)
        monitoring.register_event_listener(lambda event, **_: counts.update([event]))

    sys.meta_path.insert(0, _AfterImport(listen))
    from attrax.cli import main as run

    target, sys.argv = Path(arguments[0]), ["attrax", *arguments[1:]]
    try:
        run()
    finally:
        found = {
            "compiled": counts[_COMPILED] - counts[_FROM_CACHE],
            "from the cache": counts[_FROM_CACHE],
            "tracing": sum(seconds[event] for event in _TRACED),
            "compiling": seconds[_COMPILED],
        }
        target.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
