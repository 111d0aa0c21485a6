"""ListenBrainz: the lines of an export, its old list, and a body of submit-listens."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.exports.format import Format, part_of, text_of
from ingest.exports.plays import Aside, Play, Row
from ingest.exports.source import Source
from ingest.exports.times import seconds

_BODY = re.compile(r'\s*\{\s*("listen_type"\s*:\s*"[a-z_]+"\s*,\s*)?"payload"\s*:')
_LIST = re.compile(r"\s*\[\s*\{")
_LINE = re.compile(r"\s*\{")


def _has_listens(source: Source) -> bool:
    return '"track_metadata"' in source.text and '"listened_at"' in source.text


def _is_body(source: Source) -> bool:
    return _has_listens(source) and bool(_BODY.match(source.text))


def _is_list(source: Source) -> bool:
    return _has_listens(source) and bool(_LIST.match(source.text))


def _is_lines(source: Source) -> bool:
    return _has_listens(source) and bool(_LINE.match(source.text))


def _read_body(source: Source) -> Iterator[Row]:
    for number, listen in enumerate(source.objects("payload.item"), start=1):
        yield _listen(number, listen)


def _read_list(source: Source) -> Iterator[Row]:
    for number, listen in enumerate(source.objects("item"), start=1):
        yield _listen(number, listen)


def _read_lines(source: Source) -> Iterator[Row]:
    for number, listen in source.json_lines():
        if isinstance(listen, str):
            yield Aside(number, "this line is no JSON object", listen)
            continue
        yield _listen(number, listen)


def _listen(number: int, listen: object) -> Play:
    about = part_of(listen, "track_metadata")
    more = part_of(about, "additional_info")
    played = seconds(part_of(more, "duration_played"))
    if played is None:
        played = seconds(part_of(more, "ms_played"), 1000)
    return Play(
        number,
        text_of(part_of(about, "artist_name")),
        text_of(part_of(about, "track_name")),
        text_of(part_of(about, "release_name")),
        seconds(part_of(listen, "listened_at")),
        played,
    )


FORMATS = (
    Format("listenbrainz_body", "ListenBrainz body", "second", _is_body, _read_body),
    Format("listenbrainz_list", "ListenBrainz list", "second", _is_list, _read_list),
    Format("listenbrainz", "ListenBrainz export", "second", _is_lines, _read_lines),
)
