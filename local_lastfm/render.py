"""Answers as bytes: one tree, written as JSON or as XML the way last.fm does both.

The tree is the JSON answer. In XML a mapping with `#text` becomes a text element whose
other keys are attributes, `@attr` becomes attributes, a list repeats its element.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson

Tree = dict[str, Any]

XML_HEAD = '<?xml version="1.0" encoding="UTF-8" ?>\n'
STAR = "2a96cbd8b46e442fc41c2b86b821562f.png"
PICTURES = "https://lastfm.freetls.fastly.net/i/u"
IMAGE_SIZES = (("small", "34s"), ("medium", "64s"), ("large", "174s"))


_IMAGES: list[Tree] = [
    {"#text": f"{PICTURES}/{folder}/{STAR}", "size": size}
    for size, folder in IMAGE_SIZES
]


def images() -> list[Tree]:
    """The star placeholder, the only artist image last.fm still gives; shared."""
    return _IMAGES


def json_bytes(tree: Tree) -> bytes:
    return orjson.dumps(tree)


def xml_bytes(tree: Tree) -> bytes:
    """The tree inside `<lfm status="ok">`; an error tree as `status="failed"`."""
    parts = [XML_HEAD]
    if "error" in tree:
        message = escape(str(tree["message"]))
        parts.append(
            f'<lfm status="failed">\n  <error code="{tree["error"]}">{message}</error>'
            "\n</lfm>\n"
        )
    else:
        parts.append('<lfm status="ok">')
        for name, value in tree.items():
            _element(parts, name, value)
        parts.append("</lfm>\n")
    return "".join(parts).encode()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return escape(str(value))


def _element(parts: list[str], name: str, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _element(parts, name, item)
        return
    if not isinstance(value, dict):
        parts.append(f"<{name}>{_text(value)}</{name}>\n")
        return
    attributes = dict(value.get("@attr", {}))
    if "#text" in value:
        attributes |= {k: v for k, v in value.items() if k not in ("#text", "@attr")}
    written = "".join(f" {k}={quoteattr(str(v))}" for k, v in attributes.items())
    parts.append(f"<{name}{written}>")
    if "#text" in value:
        parts.append(_text(value["#text"]))
    else:
        for key, child in value.items():
            if key != "@attr":
                _element(parts, key, child)
    parts.append(f"</{name}>\n")
