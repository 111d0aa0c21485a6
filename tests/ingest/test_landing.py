"""Landing parts: what is read is what was answered, and only what was recorded."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ingest import landing
from ingest.landing import PartWriter, Record
from warehouse import ops
from warehouse.errors import DiskFull, LeaseLost
from warehouse.settings import load_settings

DAY = date(2026, 11, 22)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = ops.open_ops(load_settings({"data_dir": tmp_path}))
    ops.ensure_tables(opened, landing.metadata)
    yield opened
    opened.dispose()


def record(number: int = 1, body: bytes = b'{"artist":{}}') -> Record:
    return Record(
        call_id=f"{number:032x}",
        run_id="20261122T010203-abcdef",
        as_of_date=DAY,
        method="artist.getInfo",
        params={"artist": "Sigur Rós"},
        context=None,
        attempt=1,
        fetched_at=datetime(2026, 11, 22, 1, 34, 42, 123456),
        status=200,
        body=body,
    )


@given(st.binary(max_size=200), st.text(max_size=20))
@settings(max_examples=60)
def test_a_body_of_any_bytes_comes_back_as_it_was(body: bytes, name: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    written = replace(record(body=body), params={"artist": name}, context={"page": 2})
    assert Record.from_line(written.to_line()) == written


def test_a_line_is_one_json_object_with_the_agreed_fields() -> None:
    line = record().to_line()
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert b'"fetched_at":"2026-11-22T01:34:42.123456Z"' in line
    assert b'"encoding":"utf-8"' in line
    assert b'"encoding":"base64"' in record(body=b"\xff").to_line()


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="not a landing record"):
        Record.from_line(b'{"call_id": "x"}')


def test_members_are_read_one_after_the_other(tmp_path: Path, engine: Engine) -> None:
    root = tmp_path / "landing"
    with PartWriter(root, DAY, "run") as writer:
        for number in range(3):
            length = writer.append([record(number).to_line()])
            with engine.begin() as connection:
                landing.enter_part(connection, writer, length, 1)
            writer.recorded(length, 1)
    with engine.begin() as connection:
        (part,) = landing.list_parts(connection)
    assert part.answers == 3
    assert not part.is_complete
    assert [r.call_id[-1] for r in landing.read_part(root, part)] == ["0", "1", "2"]
    assert landing.verify(root, [part]) == []


def test_bytes_that_were_never_recorded_are_neither_read_nor_kept(
    tmp_path: Path, engine: Engine
) -> None:
    root = tmp_path / "landing"
    part = landing.write_part(root, DAY, "run", [record(1)], engine)
    path = root / part.part
    with path.open("ab") as file:
        file.write(b"\x1f\x8b half a member")
    assert len(list(landing.read_part(root, part))) == 1
    there, lost = landing.repair(root, [part])
    assert [p.part for p in there] == [part.part] and lost == []
    assert path.stat().st_size == part.bytes


def test_a_missing_or_shortened_part_is_lost_and_verify_says_so(
    tmp_path: Path, engine: Engine
) -> None:
    root = tmp_path / "landing"
    short = landing.write_part(root, DAY, "a", [record(1)], engine)
    gone = landing.write_part(root, DAY, "b", [record(2)], engine)
    miscounted = landing.write_part(root, DAY, "c", [record(3)], engine)
    damaged = landing.write_part(root, DAY, "d", [record(4)], engine)
    with (root / short.part).open("r+b") as file:
        file.truncate(5)
    (root / gone.part).unlink()
    (root / damaged.part).write_bytes(b"x" * damaged.bytes)
    parts = [short, gone, replace(miscounted, answers=7), damaged]
    found = landing.verify(root, parts)
    assert len(found) == 4
    for words, said in zip(
        ("5 bytes", "missing", "holds 1 answers, 7", "damaged"), found, strict=True
    ):
        assert words in said
    assert landing.repair(root, [short, gone])[1] == [short, gone]


def test_two_parts_of_one_run_never_share_a_file(
    tmp_path: Path, engine: Engine
) -> None:
    root = tmp_path / "landing"
    first = landing.write_part(root, DAY, "run/1", [record(1)], engine)
    second = landing.write_part(root, DAY, "run/1", [record(2)], engine)
    assert first.part == "2026-11-22/run_1-0001.jsonl.gz"
    assert second.part == "2026-11-22/run_1-0002.jsonl.gz"


def test_a_full_disk_is_a_clear_error_and_what_was_recorded_stays(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "landing"
    with PartWriter(root, DAY, "run") as writer:
        length = writer.append([record(1).to_line()])
        with engine.begin() as connection:
            landing.enter_part(connection, writer, length, 1)
        writer.recorded(length, 1)
        file = writer._file

        class Full:
            """Takes ten bytes, then has no room."""

            def __init__(self) -> None:
                self.room = 10

            def write(self, data: memoryview) -> int:
                if self.room == 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                self.room = 0
                return file.write(data[:10]) or 0

            def __getattr__(self, name: str) -> object:
                return getattr(file, name)

        monkeypatch.setattr(writer, "_file", Full())
        with pytest.raises(DiskFull, match="free some space"):
            writer.append([record(2).to_line()])
        monkeypatch.setattr(writer, "_file", file)
        assert writer.path.stat().st_size == length
        again = writer.append([record(2).to_line()])
        with engine.begin() as connection:
            landing.enter_part(connection, writer, again, 1)
        writer.recorded(again, 1)
    with engine.begin() as connection:
        assert landing.verify(root, landing.list_parts(connection)) == []


def test_a_writer_whose_part_was_closed_by_another_run_is_refused(
    tmp_path: Path, engine: Engine
) -> None:
    with PartWriter(tmp_path / "landing", DAY, "run") as writer:
        length = writer.append([record(1).to_line()])
        with engine.begin() as connection:
            landing.enter_part(connection, writer, length, 1)
        writer.recorded(length, 1)
        with engine.begin() as connection:
            landing.finish_part(connection, writer.part)
        longer = writer.append([record(2).to_line()])
        with pytest.raises(LeaseLost), engine.begin() as connection:
            landing.enter_part(connection, writer, longer, 1)


def test_retention_deletes_old_loaded_parts_only(
    tmp_path: Path, engine: Engine
) -> None:
    root = tmp_path / "landing"
    old = landing.write_part(root, date(2026, 1, 1), "old", [record(1)], engine)
    unloaded = landing.write_part(root, date(2026, 1, 2), "not", [record(2)], engine)
    new = landing.write_part(root, DAY, "new", [record(3)], engine)
    loaded = {old.part, new.part}
    gone = landing.expire(root, engine, date(2026, 11, 1), loaded)
    assert [part.part for part in gone] == [old.part]
    assert not (root / old.part).exists()
    assert (root / unloaded.part).exists() and (root / new.part).exists()
    with engine.begin() as connection:
        size = landing.size(connection)
    assert (size.parts, size.answers) == (2, 2)
    assert (size.oldest, size.newest) == (date(2026, 1, 2), DAY)
    assert size.bytes == unloaded.bytes + new.bytes


def test_a_file_nobody_recorded_is_swept(tmp_path: Path, engine: Engine) -> None:
    root = tmp_path / "landing"
    kept = landing.write_part(root, DAY, "run", [record(1)], engine)
    stray = root / "2026-11-22" / "dead-0001.jsonl.gz"
    stray.write_bytes(b"x")
    swept = landing.sweep(root, DAY, {kept.part})
    assert swept == ["2026-11-22/dead-0001.jsonl.gz"]
    assert not stray.exists() and (root / kept.part).exists()
