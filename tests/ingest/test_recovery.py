"""Landing files that no journal knows count again, as far as they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from ingest import landing
from ingest.landing import Part, PartWriter, Record, write_part
from ingest.lastfm.plan import Call
from ingest.lastfm.queue import Batch, Ending, Queue, call_id
from ingest.recovery import recover, salvage, whole_batches
from warehouse import ops
from warehouse.run import Recovery
from warehouse.settings import Settings

DAY = date(2026, 1, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lastfm_listeners=("rj",))


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = ops.open_ops(settings)
    yield engine
    engine.dispose()


def record(number: int, **changes: object) -> Record:
    facts = {
        "call_id": f"call {number}",
        "run_id": "run",
        "as_of_date": DAY,
        "method": "artist.getInfo",
        "params": {"artist": f"Artist {number}"},
        "context": None,
        "attempt": 1,
        "fetched_at": datetime(2026, 1, 1, 12),
        "status": 200,
        "body": b"{}",
    }
    return Record(**{**facts, **changes})  # type: ignore[arg-type]


def recovered(engine: Engine, settings: Settings, newest: Path | None) -> str:
    with engine.begin() as connection:
        return recover(Recovery(settings, connection, newest)).text


def parts(engine: Engine) -> list[Part]:
    with engine.begin() as connection:
        return landing.list_parts(connection)


def lose_rows(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(landing.landing_parts.delete())


def test_a_part_is_entered_again_as_it_was(settings: Settings, engine: Engine) -> None:
    ops.ensure_tables(engine, landing.metadata)
    root = settings.data_dir / "landing"
    before = write_part(root, DAY, "run", [record(1), record(2)], engine)
    lose_rows(engine)
    assert parts(engine) == []
    assert recovered(engine, settings, None) == "1 landing file"
    assert parts(engine) == [before]
    queue = Queue(engine, root)
    # Of a day that was never published the calls are made again, as further tries.
    assert [call.attempts for call in queue.pending(DAY, 0, 9)] == [1, 1]
    assert recovered(engine, settings, None) == ""


def test_a_call_that_two_parts_answer_goes_on_after_its_last_try(
    settings: Settings, engine: Engine
) -> None:
    ops.ensure_tables(engine, landing.metadata)
    root = settings.data_dir / "landing"
    write_part(root, DAY, "a", [record(1)], engine)
    write_part(root, DAY, "b", [record(1, attempt=4)], engine)
    lose_rows(engine)
    recovered(engine, settings, None)
    (call,) = Queue(engine, root).pending(DAY, 0, 9)
    assert call.attempts == 4


def test_a_batch_that_was_cut_short_does_not_count(settings: Settings) -> None:
    root = settings.data_dir / "landing"
    with PartWriter(root, DAY, "run") as writer:
        whole = writer.append([record(1).to_line()])
        writer.recorded(whole, 1)
        longer = writer.append([record(2).to_line()])
        assert whole_batches(writer.path)[0] == longer
        writer.cut(longer - 3)
        assert whole_batches(writer.path) == (whole, [record(1)])


def test_what_a_version_said_counts_only_with_the_version(
    settings: Settings, engine: Engine
) -> None:
    ops.ensure_tables(engine, landing.metadata)
    root = settings.data_dir / "landing"
    news = record(1, method="published", params={"version": "20260101-000001"})
    write_part(root, DAY, "run", [news], engine)
    lose_rows(engine)
    assert recovered(engine, settings, None) == ""
    with engine.begin() as connection:
        connection.execute(
            ops.versions.insert().values(
                version="20260101-000001",
                fence=1,
                run_id="run",
                as_of_date=DAY,
                published_at=datetime(2026, 1, 1),
                built_through=1,
                project_hash="",
                bytes=1,
                row_counts="{}",
            )
        )
    assert recovered(engine, settings, None) == "1 landing file"


def test_tracked_artists_and_who_joined_come_back_from_raw(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    newest = tmp_path / "version.duckdb"
    with duckdb.connect(str(newest)) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.load_parts (part text, bytes bigint, answers int)"
        )
        connection.execute(
            "create table raw.lastfm__answers (method text, params text,"
            " as_of_date date, fetched_at timestamp, outcome text)"
        )
        for method, params, day, outcome in (
            ("artist.getInfo", '{"artist":"Low"}', "2025-12-01", "rows"),
            ("artist.getInfo", '{"artist":"Low"}', "2026-01-01", "rows"),
            ("user.getInfo", '{"user":"gone"}', "2025-12-01", "rows"),
            ("user.getInfo", '{"user":"RJ"}', "2026-01-01", "rows"),
            ("user.getInfo", '{"user":"Joined"}', "2026-01-01", "rows"),
            ("album.getInfo", '{"artist":"Low","album":"Hey"}', "2026-01-01", "rows"),
            ("album.getInfo", '{"artist":"X","album":"Y"}', "2026-01-01", "error"),
        ):
            connection.execute(
                "insert into raw.lastfm__answers values (?, ?, ?, now(), ?)",
                [method, params, day, outcome],
            )
    recovered(engine, settings, newest)
    queue = Queue(engine, settings.data_dir / "landing")
    assert queue.tracked_artists() == {"low": "Low"}
    assert queue.panel() == ("Joined",)
    assert queue.known() == {("album.getInfo", '{"album":"Hey","artist":"Low"}'): DAY}


@pytest.mark.parametrize("place", [2, -60])
def test_what_is_whole_of_a_damaged_part_is_kept_and_the_rest_asked_again(
    settings: Settings, engine: Engine, place: int
) -> None:
    root = settings.data_dir / "landing"
    queue = Queue(engine, root)
    day = queue.open_day(DAY, "full", 0)
    calls = [Call("artist.getInfo", {"artist": name}) for name in ("Low", "Can")]
    queue.plan(day, 1, calls)
    records = [
        record(n, call_id=call_id(DAY, call), params=call.params)
        for n, call in enumerate(calls)
    ]
    with PartWriter(root, DAY, "run") as writer:
        for one in records:
            length = writer.append([one.to_line()])
            with engine.begin() as connection:
                landing.enter_part(connection, writer, length, 1)
                ending = Ending(one.call_id, "done", 1)
                batch = Batch(endings={one.call_id: ending})
                queue.record(connection, DAY, batch, writer.part)
            writer.recorded(length, 1)
    assert salvage(engine, settings.data_dir, parts(engine), lambda _: None) == []
    whole = writer.path.read_bytes()
    torn = bytearray(whole)
    torn[place] ^= 0xFF
    writer.path.write_bytes(torn)
    assert landing.verify(root, parts(engine)) != []
    (said,) = salvage(engine, settings.data_dir, parts(engine), lambda _: None)
    assert "is damaged after" in said and "are asked again with their day" in said
    kept = 0 if place == 2 else 1
    assert [part.answers for part in parts(engine)] == [1] * kept
    assert landing.verify(root, parts(engine)) == []
    assert len(queue.pending(DAY, 0, 9)) == 2 - kept
    (aside,) = (settings.data_dir / "aside").iterdir()
    assert aside.read_bytes() == torn
