"""Answers: one envelope, four formats, an ETag from the content.

Owns how rows become bytes. Every body carries `version` and `as_of`: members of the
JSON envelope, columns of CSV and NDJSON, metadata of Parquet. Through which day figures
are final is a member of JSON and a header of every answer.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, request

from serve.cache import FORMAT, FORMAT_IN_QUERY, PUBLIC
from serve.problems import Problem
from serve.store.contract import Published, Result

_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_KINDS: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double",
    date: "date",
    datetime: "timestamp",
}
_FORMULA = re.compile(r"[=+\-@]")
_NO_TEXT = ("\t", "\r", "\n")


def document(
    published: Published,
    data: Any,
    *,
    is_private: bool = False,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """One thing, as JSON: `data` holds it, `members` stand beside."""
    _only_json()
    body = {**_envelope(published), **_finality(published), **(members or {})}
    body["data"] = data
    return _finish(published, orjson.dumps(body, option=_OPTIONS), "json", is_private)


def table(
    published: Published,
    result: Result,
    *,
    limit: int | None = None,
    offset: int = 0,
    next_query: Mapping[str, Any] | None = None,
    is_private: bool = False,
    **members: Any,
) -> Response:
    """Rows in the asked format.

    With `limit` the result holds one row more when there are more, and `next` is the
    address of the rows after; `next_query` gives the changed parameters instead.
    """
    following = next_query
    if limit is not None and len(result.rows) > limit:
        result = result.head(limit)
        following = {"offset": offset + limit}
    address = None if following is None else _with_query(following)
    kind = asked_format()
    if kind == "json":
        body = orjson.dumps(
            {
                **_envelope(published),
                **_finality(published),
                **members,
                "next": address,
                "data": result.records(),
            },
            option=_OPTIONS,
        )
    else:
        body = _FORMATS[kind](_envelope(published), result)
    response = _finish(published, body, kind, is_private)
    if address is not None:
        response.headers["Link"] = f'<{address}>; rel="next"'
    return response


def columns(
    published: Published,
    result: Result,
    *,
    next_query: Mapping[str, Any] | None = None,
    **members: Any,
) -> Response:
    """Rows turned by 90 degrees, as JSON: one array for each column."""
    turned = {
        name: [row[index] for row in result.rows]
        for index, name in enumerate(result.columns)
    }
    address = None if next_query is None else _with_query(next_query)
    return document(published, turned, members={**members, "next": address})


def plain(body: bytes, media_type: str, published: Published) -> Response:
    """Ready bytes of another type (an Atom feed)."""
    return _finish(published, body, None, False, media_type)


def account_answer(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that is not from the warehouse: never stored anywhere."""
    _only_json()
    response = Response(
        orjson.dumps({"data": data}, option=_OPTIONS),
        status=status,
        mimetype="application/json",
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response


def account_table(
    envelope: Mapping[str, Any],
    data: Any,
    records: Sequence[Mapping[str, Any]] | None,
) -> Response:
    """Like :func:`account_answer`, with its `records`, if any, in every format.

    `envelope` holds `version` and `as_of`, null before there are any.
    """
    kind = asked_format()
    if records is None:
        _only_json()
    if kind == "json":
        body = orjson.dumps({**envelope, "data": data}, option=_OPTIONS)
    else:
        body = _FORMATS[kind](envelope, _typed(records or ()))
    response = Response(body, mimetype=MEDIA_TYPES[kind])
    _name_file(response, kind)
    response.headers["Cache-Control"] = "no-store"
    return response


def asked_format() -> str:
    """json, csv, ndjson or parquet: `format` of the query, or the path's suffix."""
    return str(request.environ.get(FORMAT, "json"))


def _only_json() -> None:
    if asked_format() != "json":
        raise Problem("format_not_available", "this answer is JSON only")


def _envelope(published: Published) -> dict[str, Any]:
    return {"version": published.version, "as_of": published.as_of_date}


def _finality(published: Published) -> dict[str, Any]:
    """Which days of the answer are final; those after are provisional."""
    return {"final_through": published.final_through}


def _finish(
    published: Published,
    body: bytes,
    kind: str | None,
    is_private: bool,
    media_type: str | None = None,
) -> Response:
    headers = [
        ("X-Version", published.version),
        ("X-As-Of", published.as_of_date.isoformat()),
        ("X-Final-Through", published.final_through.isoformat()),
        ("ETag", f'"{hashlib.sha256(body).hexdigest()[:32]}"'),
    ]
    if is_private:
        headers += [
            ("Cache-Control", "private, no-store"),
            ("Vary", "Cookie, Authorization"),
        ]
    else:
        headers += [
            ("Cache-Control", "public, max-age=0, must-revalidate"),
            ("Vary", "Accept-Encoding"),
        ]
        request.environ[PUBLIC] = published.version
    mimetype = media_type or MEDIA_TYPES[kind or "json"]
    response = Response(body, headers=headers, mimetype=mimetype)
    _name_file(response, kind)
    return response


def _name_file(response: Response, kind: str | None) -> None:
    if kind in ("csv", "parquet"):
        name = request.path.strip("/").replace("/", "-").removeprefix("api-v1-")
        safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in name)
        safe = safe.encode("ascii", "replace").decode().replace("?", "_")
        response.headers["Content-Disposition"] = (
            f'attachment; filename="{safe}.{kind}"'
        )


def _typed(records: Sequence[Mapping[str, Any]]) -> Result:
    """Records as a result: the kinds of the columns are those of their values."""
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    types = []
    for name in columns:
        found = {type(record.get(name)) for record in records} - {type(None)}
        types.append(_KINDS.get(found.pop(), "text") if len(found) == 1 else "text")
    rows = [
        tuple(
            value
            if value is None or kind != "text" or isinstance(value, str)
            else orjson.dumps(value, option=_OPTIONS).decode()
            for value, kind in zip(map(record.get, columns), types, strict=True)
        )
        for record in records
    ]
    return Result(columns, tuple(types), rows)


def _with_query(changed: Mapping[str, Any]) -> str:
    query = {**request.args.to_dict(), **{name: str(v) for name, v in changed.items()}}
    suffix = ""
    if FORMAT_IN_QUERY in request.environ:
        query["format"] = asked_format()
    elif FORMAT in request.environ:
        suffix = f".{asked_format()}"
    return f"{request.path}{suffix}?{urlencode(query)}"


def _csv(envelope: Mapping[str, Any], result: Result) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*result.columns, *envelope])
    tail = tuple(envelope.values())
    for row in result.rows:
        writer.writerow([*map(csv_cell, row), *tail])
    return out.getvalue().encode()


def csv_cell(value: Any) -> Any:
    """A spreadsheet runs a text cell that begins with = + - @; a quote stops it."""
    if isinstance(value, str) and _begins_a_formula(value):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    return value


def _begins_a_formula(text: str) -> bool:
    """Whether the first sign is one of these, full-width or behind invisible ones."""
    if text[:1].isalnum():
        return False
    seen = unicodedata.normalize("NFKC", text).lstrip(" ")
    while seen and unicodedata.category(seen[0])[0] in "CZ":
        if seen[0] in _NO_TEXT:
            return True
        seen = seen[1:]
    return _FORMULA.match(seen) is not None


def _ndjson(envelope: Mapping[str, Any], result: Result) -> bytes:
    return b"".join(
        orjson.dumps(
            {**record, **envelope}, option=_OPTIONS | orjson.OPT_APPEND_NEWLINE
        )
        for record in result.records()
    )


def _parquet(envelope: Mapping[str, Any], result: Result) -> bytes:
    import pyarrow
    import pyarrow.parquet

    kinds = {
        "integer": pyarrow.int64(),
        "double": pyarrow.float64(),
        "text": pyarrow.string(),
        "date": pyarrow.date32(),
        "timestamp": pyarrow.timestamp("us", tz="UTC"),
        "boolean": pyarrow.bool_(),
    }
    metadata = {name: str(value) for name, value in envelope.items() if value}
    schema = pyarrow.schema(
        [
            (name, kinds[kind])
            for name, kind in zip(result.columns, result.types, strict=True)
        ],
        metadata=metadata,
    )
    arrays = [
        pyarrow.array(
            [_aware(row[index]) for row in result.rows], type=schema.field(index).type
        )
        for index in range(len(schema))
    ]
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def _aware(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


_FORMATS = {"csv": _csv, "ndjson": _ndjson, "parquet": _parquet}
