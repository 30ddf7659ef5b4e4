"""The text of errors on the command line: what is a keyword in Python is an option here."""

from collections.abc import Mapping, Sequence

from attrax._base.arguments import ArgumentError

_CALLED = {
    "learning_rate": "lr",
    "corruptions": "train_corruption",
    "context": "context_frames",
    "begin": "from",
    "num_starts": "starts",
    "num_directions": "directions",
}
"""Parameters of commands that are not called as the keyword is."""


def told(error: BaseException, arguments: Sequence[str], options: Mapping[str, str]) -> str:
    """The message of an error of a command with these arguments, with options where the library has keywords.

    `options` are those of the command, by the names of its parameters. What `attrax store` has no option for is a
    setting, as is what was given as one; any other keyword stays as it is.
    """
    if not isinstance(error, ArgumentError):
        return str(error)
    return error.spelled(lambda name, value: _spelled(name, value, arguments, options))


def _spelled(name: str, value: str, arguments: Sequence[str], options: Mapping[str, str]) -> str:
    option = options.get(_CALLED.get(name, name), options.get(name))
    section = _section(name) if "assignments" in options else None
    as_setting = any(argument.startswith(f"{section}.{name}=") for argument in arguments)
    if section is not None and (option is None or as_setting):
        return f"--set {section}.{name}" + (f"={value}" if value else "")
    if option is None:
        return f"{name}={value}" if value else name
    return f"{option} {value}" if value else option


def _section(name: str) -> str | None:
    """The table of settings of `attrax store` that has this one; `None` where none has."""
    from attrax.cli._settings import allowed_settings

    return next((section for section, names in allowed_settings().items() if name in names), None)


_ASCII = {
    "×": "x",
    "–": "-",
    "−": "-",
    "…": "...",
    "±": "+-",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "·": "*",
    "’": "'",
    "“": '"',
    "”": '"',
    "‖": "||",
    "²": "^2",
    "λ": "lambda",
    "σ": "sigma",
    "₁": "_1",
}


def replaced(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: characters that an output can't hold, in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
