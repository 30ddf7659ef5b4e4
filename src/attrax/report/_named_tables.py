"""Tables of named activations and corruptions for the documentation."""

from collections.abc import Iterable, Sequence

from attrax.activations import ACTIVATIONS, Activation
from attrax.corruptions import CORRUPTIONS


def activation_table() -> str:
    """The named activations as a Markdown table.

    ```python
    >>> print("\\n".join(activation_table().splitlines()[:3]))
    | `--activation` | φ(z) | remark | begins with |
    |---|---|---|---|
    | `relu` | max(z, 0) | slope 0 at 0 | `kaiming_uniform` |

    ```
    """

    def remark(one: Activation) -> str:
        return "; ".join(text for text in (one.about, "nothing is proved" * (one.bounds is None)) if text)

    head = ("`--activation`", "φ(z)", "remark", "begins with")
    rows = ((f"`{one.name}`", one.formula, remark(one), f"`{one.init}`") for one in ACTIVATIONS.values())
    return _markdown(head, rows)


def corruption_table() -> str:
    """The named kinds of corruption as a Markdown table.

    ```python
    >>> print("\\n".join(corruption_table().splitlines()[:3]))
    | `--corrupt` | what it does to a stored example | usual levels | remark |
    |---|---|---|---|
    | `gaussian:SIGMA` | adds Gaussian noise, not clipped | 0.1, 0.3, 0.5, 0.75, 1, 1.5 | |

    ```
    """
    head = ("`--corrupt`", "what it does to a stored example", "usual levels", "remark")
    return _markdown(
        head,
        (
            (
                f"`{kind.usage}`",
                kind.about,
                ", ".join(f"{level:g}" for level in kind.levels),
                ", ".join(word for word, holds in (("pictures only", kind.picture), ("masks", kind.masks)) if holds),
            )
            for kind in CORRUPTIONS.values()
        ),
    )


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "|" + "".join(f" {cell} |" if cell else " |" for cell in (text.replace("|", "\\|") for text in cells))

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)])
