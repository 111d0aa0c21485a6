"""Bodies that are not plain JSON, brought into the JSON shape last.fm itself uses.

Owns the reading of XML, byte order marks, invalid UTF-8, unpaired surrogates and
control characters. Must not know methods or recipes.

last.fm's own conversion puts the attributes of a text element beside ``#text`` and
those of an element with children into ``@attr``; siblings of one name become a list.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

# A text that holds half a surrogate pair or a byte that is no UTF-8 has no faithful
# form in either database. It becomes an object with this one key, which fits no column,
# so the item goes to the dead letters if (and only if) the text was wanted.
BROKEN_TEXT = "text that is not Unicode"

# Code points XML 1.0 forbids travel through the parser in a private plane.
_PLANE = 0xF0000
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FORBIDDEN_REFERENCE = re.compile(r"&#(?:([0-9]{1,7})|[xX]([0-9a-fA-F]{1,6}));")
_STANDING_IN = re.compile("[\U000f0000-\U000fffff]")
_HTML = re.compile(r"\s*(<!doctype\s+html|<html)", re.IGNORECASE)
_UNREADABLE_DEPTH = 200


@dataclass(frozen=True)
class Body:
    """What a body turned out to be: JSON text, an HTML page, or unreadable."""

    json_text: str | None = None
    is_html: bool = False
    problem: str | None = None


class _NotReadable(Exception):
    """The body cannot be read; the message says why."""


def read_body(body: bytes) -> Body:
    """Bring an odd body into JSON text.

    Never raises for what the body holds: a body that cannot be read comes back with
    the `problem`.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if _HTML.match(text):
        return Body(is_html=True, problem="an HTML page instead of an answer")
    try:
        is_xml = text.lstrip().startswith("<")
        tree = _read_xml(text) if is_xml else _read_json(text)
        return Body(json_text=_dump(tree))
    except _NotReadable as error:
        return Body(problem=str(error))
    except RecursionError:
        return Body(problem="nested too deeply")


def _read_json(text: str) -> Any:
    if not text.strip():
        raise _NotReadable("the body is empty")
    try:
        return json.loads(text, strict=False)
    except ValueError as error:
        raise _NotReadable(f"cannot be read as JSON: {error}") from error


def _dump(tree: Any) -> str:
    return json.dumps(_without_broken_text(tree, 0), ensure_ascii=False)


def _without_broken_text(value: Any, depth: int) -> Any:
    if depth > _UNREADABLE_DEPTH:
        raise _NotReadable("nested too deeply")
    if isinstance(value, str):
        if value.isascii() or not re.search("[\ud800-\udfff]", value):
            return value
        return {BROKEN_TEXT: value.encode("utf-8", "backslashreplace").decode()}
    if isinstance(value, list):
        return [_without_broken_text(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {
            key.encode("utf-8", "backslashreplace").decode(): _without_broken_text(
                each, depth + 1
            )
            for key, each in value.items()
        }
    return value


@dataclass
class _Element:
    tag: str
    attributes: dict[str, str]
    children: list["_Element"]
    text: list[str]


def _read_xml(text: str) -> Any:
    root = _parse_xml(text)
    if root.tag != "lfm":
        raise _NotReadable(f"XML with the root <{root.tag}>, not <lfm>")
    for child in root.children:
        if child.tag == "error":
            code = child.attributes.get("code", "")
            return {
                "error": int(code) if code.isdecimal() else code,
                "message": "".join(child.text),
            }
    return {child.tag: _convert(child, 0) for child in root.children}


def _parse_xml(text: str) -> _Element:
    # Namespaces stay off: the search answers use a prefix they never declare.
    parser = expat.ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    stack: list[_Element] = []
    found: list[_Element] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        element = _Element(
            tag, {key: _stand_out(value) for key, value in attributes.items()}, [], []
        )
        if len(stack) > _UNREADABLE_DEPTH:
            raise _NotReadable("nested too deeply")
        (stack[-1].children if stack else found).append(element)
        stack.append(element)

    def refuse_doctype(*_: object) -> None:
        raise _NotReadable("XML with a document type, which last.fm never sends")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: stack.pop()
    parser.CharacterDataHandler = lambda data: stack[-1].text.append(_stand_out(data))
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(_stand_in(text).encode("utf-8"), True)
    except expat.ExpatError as error:
        raise _NotReadable(f"cannot be read as XML: {error}") from error
    return found[0]


def _stand_in(text: str) -> str:
    """Replace what XML forbids by code points of a private plane."""
    text = _STANDING_IN.sub("\ufffd", text)
    text = _FORBIDDEN.sub(lambda found: chr(_PLANE + ord(found[0])), text)

    def reference(found: re.Match[str]) -> str:
        code = int(found[1]) if found[1] else int(found[2], 16)
        if code <= 0xFFFF and _FORBIDDEN.match(chr(code)):
            return chr(_PLANE + code)
        return found[0]

    return _FORBIDDEN_REFERENCE.sub(reference, text)


def _stand_out(text: str) -> str:
    return _STANDING_IN.sub(lambda found: chr(ord(found[0]) - _PLANE), text)


def _convert(element: _Element, depth: int) -> Any:
    text = "".join(element.text)
    if not element.children:
        if not element.attributes:
            return text
        return {**element.attributes, "#text": text}
    value: dict[str, Any] = {}
    for child in element.children:
        converted = _convert(child, depth + 1)
        if child.tag not in value:
            value[child.tag] = converted
        else:
            earlier = value[child.tag]
            # An element never converts to a list, so a list is one made here.
            value[child.tag] = [
                *(earlier if isinstance(earlier, list) else [earlier]),
                converted,
            ]
    if element.attributes:
        value["@attr"] = dict(element.attributes)
    return value
