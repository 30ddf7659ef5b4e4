"""Joins ES modules into one script, because a page that is opened from a file can't import others.

Each module becomes a function that returns its exports, called once, after those it imports from. What is understood is
what the playground's modules use: `import { a, b } from "./other.js";`, and `export` before a declaration.
"""

import re
from collections.abc import Callable

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z0-9_]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function\*? (\w+)|class (\w+)|const (\w+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(import|export)\b.*", re.MULTILINE)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """One script from the module `entry` and all that it imports.

    **Arguments:** `entry`, a name without `.js`; `read` gives the text of a module by such a name.

    **Raises** `ValueError` for modules that import each other in a circle, and for a form that is not understood.
    """
    done: dict[str, str] = {}
    _add(entry, read, done, ())
    return '"use strict";\n' + "".join(done.values())


def _add(name: str, read: Callable[[str], str], done: dict[str, str], path: tuple[str, ...]) -> None:
    if name in done:
        return
    if name in path:
        raise ValueError(f"modules import each other: {' → '.join((*path, name))}")
    text = read(name)
    imports: list[str] = []
    for names, other in _IMPORT.findall(text):
        _add(other, read, done, (*path, name))
        imports.append(f"const {{{','.join(_listed(names))}}} = module_{other};\n")
    body = _IMPORT.sub("", text)
    exports = [next(filter(None, found)) for found in _EXPORT.findall(body)]
    body = _EXPORT.sub("", body)
    left = _LEFT_OVER.search(body)
    if left:
        raise ValueError(f"{name}.js has a line that can't be joined: {left.group()[:80]}")
    done[name] = f"const module_{name} = (() => {{\n{''.join(imports)}{body}return {{{', '.join(exports)}}};\n}})();\n"


def _listed(names: str) -> list[str]:
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not all(name.isidentifier() or name.replace("$", "_").isidentifier() for name in found):
        raise ValueError(f"imports must be plain names; got {names.strip()[:80]!r}")
    return found
