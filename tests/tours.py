"""The tours of docs/tours.md: what is typed, opened and pressed, and what is seen.

A section is a kind of user. A block `sh` is typed; the block `text` after it is what
that prints, where `…` stands for anything. A row of a table is something that is done
in the browser, and between quotes what is seen then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.daily_runs import ROOT

TEXT = (ROOT / "docs" / "tours.md").read_text(encoding="utf-8")
SERVICE = "http://127.0.0.1:8000"
_BLOCKS = re.compile(r"^```sh\n(.*?)^```\n+(?:^```text\n(.*?)^```\n)?", re.M | re.S)
_ROWS = re.compile(r"^\| (?!do |open \||-)(.+?) \| (.+?) \|$", re.M)


@dataclass(frozen=True)
class Typed:
    """Commands of one block, and what they print (with `…`), if that is told."""

    commands: str
    printed: str


@dataclass(frozen=True)
class Done:
    """What is done in the browser, and texts that are seen then."""

    what: str
    seen: tuple[str, ...]

    @property
    def address(self) -> str | None:
        """What is opened, if something is."""
        found = re.fullmatch(r"(?:open )?`(/.*)`", self.what)
        return found[1] if found else None


@dataclass(frozen=True)
class Tour:
    """What one kind of user types and does, each in its order."""

    typed: list[Typed]
    done: list[Done]


def tours(text: str = TEXT) -> dict[str, Tour]:
    """The tours by kind of user; what comes before the first is that of "all"."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    named = {"All": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    return {
        name: Tour(
            [Typed(*block) for block in _BLOCKS.findall(part)],
            [
                Done(what, tuple(re.findall(r'"([^"]+)"', seen)))
                for what, seen in _ROWS.findall(part)
            ],
        )
        for name, part in named.items()
    }


def is_printed(told: str, printed: str) -> bool:
    """Whether this was printed; `…` is anything, alone on a line any lines."""
    pattern = re.escape(told.strip()).replace("…", ".*?")
    return re.fullmatch(pattern, printed.strip(), re.S) is not None
