"""The file of the published marts for tools: whole, replaced, and nobody's to harm."""

import json
from pathlib import Path

import duckdb
import pytest

from warehouse import marts_file
from warehouse.settings import Settings


def publish(data_dir: Path, version: str, names: list[str]) -> None:
    """A version with a table and a view that reads another schema."""
    path = data_dir / "versions" / f"warehouse-{version}.duckdb"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as file:
        for schema in ("raw", "intermediate", "marts"):
            file.execute(f"create schema {schema}")
        file.execute("create table raw.answers as select 'secret' as body")
        file.execute("create table intermediate.names (artist_name text)")
        file.executemany(
            "insert into intermediate.names values (?)", [(n,) for n in names]
        )
        file.execute("create table marts.dim_artists as from intermediate.names")
        file.execute("comment on table marts.dim_artists is 'One row per artist.'")
        file.execute("comment on column marts.dim_artists.artist_name is 'Its name.'")
        file.execute("create view marts.named as select * from intermediate.names")
    pointer = {"version": version, "file": f"versions/{path.name}"}
    (data_dir / "published.json").write_text(json.dumps(pointer))


def settings(data_dir: Path, **changed: object) -> Settings:
    return Settings(data_dir=data_dir, **changed)  # type: ignore[arg-type]


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as file:
        return file.execute(sql).fetchall()


def test_the_file_has_every_mart_as_a_table_with_its_texts_and_nothing_else(
    tmp_path: Path,
) -> None:
    publish(tmp_path, "20260101-000001", ["Ann", "Bob"])
    assert marts_file.bring(settings(tmp_path)) is None
    path = tmp_path / marts_file.FILE
    assert asked(path, "select * from marts.named order by 1") == [("Ann",), ("Bob",)]
    tables = "select schema_name, table_name, comment from duckdb_tables() order by 2"
    assert asked(path, tables) == [
        ("marts", "dim_artists", "One row per artist."),
        ("marts", "named", None),
        ("about", "version", None),
    ]
    comment = "select comment from duckdb_columns() where column_name = 'artist_name'"
    assert ("Its name.",) in asked(path, comment)
    assert b"secret" not in path.read_bytes()


def test_a_publish_replaces_it_whole_and_a_reader_keeps_what_it_opened(
    tmp_path: Path,
) -> None:
    publish(tmp_path, "20260101-000001", ["Ann"])
    marts_file.bring(settings(tmp_path))
    path = tmp_path / marts_file.FILE
    with path.open("rb") as reader:
        before = path.read_bytes()
        publish(tmp_path, "20260102-000002", ["Ann", "Bob"])
        marts_file.bring(settings(tmp_path))
        assert reader.read() == before != path.read_bytes()
    assert marts_file.version_in(path) == "20260102-000002"
    made = path.stat().st_ino
    marts_file.bring(settings(tmp_path))
    assert path.stat().st_ino == made, "it was written again for nothing"


def test_what_a_tool_writes_into_it_harms_no_version(tmp_path: Path) -> None:
    publish(tmp_path, "20260101-000001", ["Ann"])
    version = next((tmp_path / "versions").iterdir())
    before = version.read_bytes()
    marts_file.bring(settings(tmp_path))
    with duckdb.connect(str(tmp_path / marts_file.FILE)) as tool:
        tool.execute("delete from marts.dim_artists")
    assert version.read_bytes() == before


def test_without_room_yesterday_s_file_stays_and_the_reason_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, "20260101-000001", ["Ann"])
    marts_file.bring(settings(tmp_path))
    publish(tmp_path, "20260102-000002", ["Bob"])

    def full(fresh: Path, *_: object, **__: object) -> None:
        fresh.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(marts_file, "write", full)
        told = marts_file.bring(settings(tmp_path))
    assert told is not None and "No space left" in told
    path = tmp_path / marts_file.FILE
    assert marts_file.version_in(path) == "20260101-000001"
    assert [p.name for p in tmp_path.glob("warehouse*")] == [path.name]


def test_it_goes_where_it_is_not_wanted_or_nothing_is_published(tmp_path: Path) -> None:
    publish(tmp_path, "20260101-000001", ["Ann"])
    marts_file.bring(settings(tmp_path))
    path = tmp_path / marts_file.FILE
    marts_file.bring(settings(tmp_path, marts_file=False))
    assert not path.exists()
    marts_file.bring(settings(tmp_path))
    (tmp_path / "published.json").unlink()
    marts_file.bring(settings(tmp_path))
    assert not path.exists()
