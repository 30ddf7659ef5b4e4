"""What an index page shows of README.md: its pictures and links as addresses of the repository.

An index has the text of the file and nothing beside it. Where the repository is published stands once, as `Source` in
pyproject.toml's `project.urls`; the addresses name the tag of the version, so that they stay what they were.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class Readme(MetadataHookInterface):
    """Puts the description of the project together while it is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if source := metadata["urls"].get("Source"):
            text = published(text, source.rstrip("/"), metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def published(text: str, source: str, version: str) -> str:
    """The text with addresses in place of paths: files of the tag, pictures as they are."""

    def address(found: re.Match[str]) -> str:
        picture, shown, path = found.groups()
        return f"{picture}[{shown}]({source}/{'raw' if picture else 'blob'}/v{version}/{path})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)", address, text)
