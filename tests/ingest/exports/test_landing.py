"""An import, from file to schema raw: whole or not at all, and deleted as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from ingest import landing
from ingest.exports import landing as imports
from ingest.exports import plays
from ingest.exports.landing import is_landed, land
from ingest.exports.reading import read, readings
from ingest.forgetting import forget_landed, forget_raw
from ingest.landing import PartWriter, list_parts
from ingest.load.load import LoadResult, load
from ingest.load.promote import open_raw
from warehouse import gates, ops
from warehouse.errors import ImportRefused, LeaseLost
from warehouse.run import Target
from warehouse.settings import Settings

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 12)
FIRST = 1_700_000_000


class Place:
    """Landing and a raw of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "landing"
        self.engine: Engine = ops.open_ops(Settings(data_dir=folder))
        self.target = Target(duckdb_path=folder / "warehouse.duckdb")
        ops.ensure_tables(self.engine, landing.metadata)

    def bring(self, path: Path, listener: str, check: Any = lambda _: None) -> None:
        (reading,) = readings([path])
        rows = read(reading, NOW)
        land(
            self.engine,
            self.root,
            listener,
            reading,
            rows,
            as_of=DAY,
            now=NOW,
            check=check,
        )

    def is_known(self, path: Path, listener: str) -> bool:
        (reading,) = readings([path])
        return is_landed(self.engine, listener, reading)

    def load(self) -> LoadResult:
        with self.engine.connect() as connection:
            parts = list_parts(connection, complete_only=True)
        work = self.folder / "work"
        return load(self.target, self.root, parts, "run", DAY, work, lambda _: None)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with open_raw(self.target) as raw:
            return raw.rows(query)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "data")
    yield made
    made.engine.dispose()


def history(path: Path, count: int, more: Sequence[str] = ()) -> Path:
    rows = [f"Low,Things,Track {n},{FIRST + 300 * n}" for n in range(count)]
    path.write_text("artist,album,track,uts\n" + "\n".join([*rows, *more]) + "\n")
    return path


def test_each_row_of_a_file_is_a_row_of_raw_or_a_dead_letter_with_its_line(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PAGE_ROWS", 7)
    path = history(tmp_path / "plays.csv", 20, ["Low,Things", "Low,Things,Fly,"])
    place.bring(path, "Ana")
    result = place.load()
    assert (result.items, result.rows, result.dead) == (21, 20, 1)
    assert (result.brought_items, result.brought_dead) == (21, 1)
    rows = place.ask(
        "select listener_name, artist_name, album_name, stamp, stamped_uts, line"
        " from raw.imports__plays order by line"
    )
    assert rows == [
        ("Ana", "Low", "Things", "second", FIRST + 300 * n, n + 2) for n in range(20)
    ]
    ((item,),) = place.ask("select item from raw.dead_letters")
    for told in ('"line":22', "not the columns of the header", "Low,Things"):
        assert told in item
    # Such a letter keeps no day from being published; last.fm's would.
    judged = {"items": 21, "dead_letters": 1}
    evidence = type("Evidence", (), {"steps": {"load": judged}})
    assert not gates.GATES["dead-letters"](evidence)[0]
    judged |= {"brought_items": 21, "brought_dead_letters": 1}
    assert gates.GATES["dead-letters"](evidence)[0]


def test_pages_and_batches_are_bounded_in_bytes_whatever_the_rows_hold(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PAGE_BYTES", 5_000)
    monkeypatch.setattr(imports, "BATCH_BYTES", 20_000)
    batches: list[int] = []
    append = PartWriter.append

    def counted(writer: PartWriter, lines: list[bytes]) -> int:
        batches.append(sum(map(len, lines)))
        return append(writer, lines)

    monkeypatch.setattr(PartWriter, "append", counted)
    path = tmp_path / "plays.csv"
    longest = plays.LONGEST_NAME_BYTES
    rows = [f"Low,Things,{n:0{longest}},{FIRST + 300 * n}" for n in range(100)]
    more = [f"{'x' * longest}y,,Fly,{FIRST}", f"Low,{'ö' * longest},Fly,{FIRST}"]
    unread = "x," * plays.KEPT_CHARACTERS
    path.write_text("artist,album,track,uts\n" + "\n".join([*rows, *more, unread]))
    place.bring(path, "Ana")
    assert len(batches) > 5 and max(batches) < 30_000
    result = place.load()
    assert (result.rows, result.dead) == (100, 1)
    ((item,),) = place.ask("select item from raw.dead_letters")
    assert len(item) < plays.KEPT_CHARACTERS + 200
    (reading,) = readings([path])
    assert (
        sum(isinstance(found.row, plays.Taken) for found in read(reading, NOW)) == 100
    )
    assert reading.tally.aside[plays.TOO_LONG] == 2


def test_a_file_is_known_again_for_its_listener_alone(
    place: Place, tmp_path: Path
) -> None:
    path = history(tmp_path / "plays.csv", 3)
    assert not place.is_known(path, "Ana")
    place.bring(path, "Ana")
    renamed = path.rename(tmp_path / "other")
    assert place.is_known(renamed, "ANA")
    assert not place.is_known(renamed, "Bea")
    # Landed twice after all, it is loaded once.
    place.bring(renamed, "Ana")
    assert place.load().rows == 3
    place.bring(renamed, "Ana")
    place.load()
    assert place.ask("select count(*) from raw.imports__plays") == [(3,)]


def test_a_file_that_breaks_off_leaves_nothing(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    row = '{"endTime": "2024-01-01 12:00", "artistName": "Low", "trackName": "Fly",'
    path.write_text("[" + row + ' "msPlayed": 200000}, {"endTime"')
    with pytest.raises(ImportRefused, match="no JSON"):
        place.bring(path, "Ana")

    def taken_over(_: Connection) -> None:
        raise LeaseLost("another run has taken over")

    with pytest.raises(LeaseLost):
        place.bring(history(tmp_path / "plays.csv", 3), "Ana", taken_over)
    with place.engine.connect() as connection:
        assert not list_parts(connection)
    assert not list(place.root.rglob("*.gz"))


def test_whoever_is_deleted_takes_their_files_along(
    place: Place, tmp_path: Path
) -> None:
    path = history(tmp_path / "plays.csv", 3)
    for listener in ("Ana Import", "Bea"):
        place.bring(path, listener)
    other = tmp_path / "other.csv"
    other.write_text(f"artist,track,uts\nHers alone,Fly,{FIRST}\nbroken\n")
    place.bring(other, "Ana Import")
    place.load()
    keys = ["ana import"]
    assert forget_landed(place.engine, place.root, keys, lambda _: None) == 2
    with place.engine.connect() as connection:
        parts = list_parts(connection)
    with open_raw(place.target) as raw:
        forget_raw(raw, keys, parts)
    rows = place.ask("select distinct listener_name from raw.imports__plays")
    assert rows == [("Bea",)]
    assert not place.ask("select * from raw.dead_letters")
    names = {name for (name,) in place.ask("select name from raw.lastfm__name_keys")}
    assert "Low" in names and not names & {"Ana Import", "Hers alone"}
    assert not place.is_known(path, "Ana Import"), "it may be brought again"
    assert place.is_known(path, "Bea")


def test_times_are_checked_against_the_clock_of_the_import(tmp_path: Path) -> None:
    path = tmp_path / "plays.csv"
    later = int(NOW.replace(tzinfo=UTC).timestamp()) + 2 * 3600
    path.write_text(f"artist,track,uts\nLow,Fly,{later}\nLow,Fly,{later - 7200}\n")
    (reading,) = readings([path])
    assert len(list(read(reading, NOW))) == 1
    assert reading.tally.aside == {"time out of range": 1}
