"""Landing files made for tests, and a slow reading of what they must give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from ingest.landing import Part, PartWriter, Record
from ingest.load.load import LoadResult, load
from warehouse.run import Target

DAY = date(2026, 11, 22)
MOMENT = datetime(2026, 11, 22, 1, 34, 42, 123456)


def answer(
    call_id: str,
    method: str,
    body: object,
    params: Mapping[str, str] | None = None,
    *,
    context: Mapping[str, Any] | None = None,
    attempt: int = 1,
    status: int = 200,
    verdict: str = "data",
) -> Record:
    """A landing record; a body that is not bytes or text is written as JSON."""
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
    return Record(
        call_id=call_id,
        run_id="run-1",
        as_of_date=DAY,
        method=method,
        params=dict(params or {}),
        context=context,
        attempt=attempt,
        fetched_at=MOMENT,
        status=status,
        body=body,
        verdict=verdict,
    )


def scrobbles(
    tracks: Sequence[object], user: str = "ana", page: int = 1, total: int | None = None
) -> dict[str, Any]:
    """A page of recent tracks."""
    return {
        "recenttracks": {
            "track": list(tracks),
            "@attr": {
                "user": user,
                "page": str(page),
                "perPage": "200",
                "totalPages": "1",
                "total": str(len(tracks) if total is None else total),
            },
        }
    }


def scrobble(uts: int | str = 1_600_000_000, **changes: object) -> dict[str, Any]:
    """One plain scrobble."""
    track: dict[str, Any] = {
        "artist": {"mbid": "", "#text": "Low"},
        "streamable": "0",
        "image": [{"size": "small", "#text": "https://img.example/34s/star.png"}],
        "mbid": "",
        "album": {"mbid": "", "#text": "Things We Lost"},
        "name": "Sunflower",
        "url": "https://www.last.fm/music/Low/_/Sunflower",
        "date": {"uts": str(uts), "#text": "13 Sep 2020, 12:26"},
    }
    return track | changes


@dataclass
class Landing:
    """A landing folder and a warehouse beside it."""

    root: Path
    parts: list[Part] = field(default_factory=list)

    @property
    def landing_dir(self) -> Path:
        return self.root / "landing"

    @property
    def target(self) -> Target:
        return Target(duckdb_path=self.root / "warehouse.duckdb")

    def write(self, records: Sequence[Record], run_id: str = "run-1") -> Part:
        """Land these records as one part."""
        self.landing_dir.mkdir(parents=True, exist_ok=True)
        with PartWriter(self.landing_dir, DAY, run_id) as writer:
            length = writer.append([record.to_line() for record in records])
            writer.recorded(length, len(records))
        part = Part(writer.part, run_id, DAY, length, len(records), True)
        self.parts.append(part)
        return part

    def load(self, run_id: str = "run-1", target: Target | None = None) -> LoadResult:
        """Load what is not loaded yet."""
        return load(
            target or self.target,
            self.landing_dir,
            self.parts,
            run_id,
            DAY,
            self.root / "work",
            lambda _connection: None,
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query finds in the warehouse."""
        with duckdb.connect(str(self.target.duckdb_path)) as connection:
            return connection.execute(query).fetchall()

    def table(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of a raw table, in the order of call and item."""
        return self.rows(
            f"select {', '.join(columns)} from raw.{name} order by call_id, item_index"
        )

    def dead_letters(self) -> list[tuple[str, str]]:
        """Path and error of every dead letter."""
        return self.rows(
            "select path, error from raw.dead_letters"
            " order by call_id, table_name, item_index"
        )


@dataclass(frozen=True)
class Recording:
    """One line of the recordings' manifest."""

    method: str
    path: Path
    status: int
    parses: bool

    @property
    def body(self) -> bytes:
        return self.path.read_bytes()


def recordings(shared_dir: Path) -> Iterator[Recording]:
    """Every recorded answer."""
    folder = shared_dir / "lastfm_api"
    lines = (folder / "MANIFEST.tsv").read_text().splitlines()
    for line in lines[1:]:
        fields = line.split("\t")
        yield Recording(
            fields[0],
            folder / fields[1],
            int(fields[6] or 200),
            fields[8] == "yes",
        )
