"""What reads badly on a page: `1 plays`, empty tables, days in the machine's way."""

from __future__ import annotations

import re
from html import unescape

# A number one, alone, before a word in the plural: not in 2.1, 1,001 or #1.
_PLURAL = re.compile(r"(?<![\d.,:/#−–-])1 (?!this|is|was|has|as)([a-z]+s)\b", re.I)
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
# What stands in a line; whatever else begins a new one.
_INLINE = re.compile(r"</?(a|abbr|b|bdi|em|i|small|span|strong|time)\b[^>]*>", re.I)
_UNSEEN = re.compile(
    r"<(script|style|pre|code|svg|textarea)\b.*?</\1>|<[^>]+>", re.S | re.I
)
_TABLES = re.compile(r"<tbody[^>]*>\s*</tbody>")
_LISTS = re.compile(r"<(ul|ol|dl)\b[^>]*>\s*</\1>")
_FIGURES = re.compile(r"<figure\b.*?</figure>", re.S)


def faults(page: str) -> list[str]:
    """What is wrong with the words of a page, in the part that is its own."""
    main = re.search(r"<main\b.*</main>", page, re.S)
    body = main[0] if main else page
    text = re.sub(r"\s+", " ", unescape(_UNSEEN.sub(" | ", _INLINE.sub("", body))))
    found = [f"plural: {one[0]}" for one in _PLURAL.finditer(text)]
    found += [f"day: {one[0]}" for one in _DAY.finditer(text)]
    found += [f"an empty table: {_before(body, one)}" for one in _TABLES.finditer(body)]
    found += [f"an empty list: {_before(body, one)}" for one in _LISTS.finditer(body)]
    found += [
        f"a figure without picture, table or sentence: {one[0][:80]}"
        for one in _FIGURES.finditer(body)
        if not re.search(r"<svg|<tbody|class=\"empty\">[^<]", one[0])
    ]
    return found


def _before(body: str, found: re.Match[str]) -> str:
    """The last words before a place."""
    return " ".join(_UNSEEN.sub(" ", body[: found.start()]).split())[-80:]
