"""The same landing files give the same schema raw on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine

from ingest.lastfm.recipes import TABLES
from ingest.load import dead_letters, promote
from ingest.load.load import load
from ingest.load.promote import Decision
from tests.ingest.load.landing_files import (
    DAY,
    MOMENT,
    Landing,
    answer,
    recordings,
    scrobble,
    scrobbles,
)
from tests.ingest.load.test_hostile_values import (
    CHART,
    MISFITS,
    RECENT,
    UNREADABLE,
    UNUSUAL,
    artist,
    chart,
    odd_pages,
)
from tests.ingest.load.test_recordings import METHODS, landed
from warehouse.errors import LoadFailed
from warehouse.run import Target

STAGES = "select nspname from pg_namespace where nspname ~ '^stage'"

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(postgres_url)
    yield engine
    engine.dispose()


def rows(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_everything_loads_the_same_on_both_engines(
    shared_dir: Path, tmp_path: Path, postgres_url: str, engine: Engine
) -> None:
    landing = Landing(tmp_path)
    landing.write([landed(r) for r in recordings(shared_dir) if r.method in METHODS])
    landing.write(
        [
            answer(f"m{n}", CHART, chart(artist(), artist(**changes)))
            for n, (changes, _path, _error) in enumerate(MISFITS)
        ]
        + [answer(f"u{n}", CHART, chart(artist(**c))) for n, c in enumerate(UNUSUAL)]
        + [answer(f"x{n}", CHART, body) for n, body in enumerate(UNREADABLE)]
        + [answer(f"o{n}", RECENT, page) for n, page in enumerate(odd_pages())]
        + [
            answer(
                "quotes",
                CHART,
                chart(
                    artist(name='"'),
                    artist(name="\\N"),
                    artist(name="\\."),
                    artist(name='a,"b"\r\n;c%s%(d)s'),
                    artist(name="NULL"),
                    artist(name=" "),
                    artist(name="'"),
                ),
                {"odd %s": "100 % \\ ' \" \n"},
            ),
            answer("silent", CHART, {"error": 8, "message": ""}, status=500),
        ]
    )
    here = landing.load()
    there = landing.load(target=Target(url=postgres_url))
    assert there == here
    for table in TABLES.values():
        names = [name for name in table.column_names if name != "loaded_at"]
        query = f"select {', '.join(f'{name!r}' for name in names)}".replace("'", '"')
        query += f" from raw.{table.name}"
        assert sorted(map(repr, rows(engine, query))) == sorted(
            map(repr, landing.rows(query))
        ), table.name
    assert rows(engine, STAGES) == []
    assert landing.load(target=Target(url=postgres_url)).load_id is None


def test_a_lost_row_leaves_postgres_as_it_was(
    tmp_path: Path, postgres_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = Landing(tmp_path)
    target = Target(url=postgres_url)
    landing.write([answer("a", RECENT, scrobbles([scrobble(1), scrobble(2)]))])
    move = promote._move

    def lossy(raw: promote.Raw, table: str, schema: str, load_id: int) -> int:
        if table == "lastfm__user_recent_tracks":
            raw.run(f"delete from {schema}.{table} where item_index = 1")
        return move(raw, table, schema, load_id)

    monkeypatch.setattr(promote, "_move", lossy)
    with pytest.raises(LoadFailed, match=r"2 rows .* were parsed but 1 arrived"):
        landing.load(target=target)
    monkeypatch.undo()
    for table in TABLES:
        ((there,),) = rows(engine, f"select to_regclass('raw.{table}')")
        assert there is None or rows(engine, f"select * from raw.{table}") == []
    # The stage of the failed load is swept by the next one.
    assert landing.load("run-2", target).rows == 2
    assert rows(engine, STAGES) == []


def test_a_column_that_raw_lacks_is_added_on_postgres_too(
    tmp_path: Path, postgres_url: str, engine: Engine
) -> None:
    landing = Landing(tmp_path)
    target = Target(url=postgres_url)
    tracks = [{"name": "x", "artist": {"name": "A"}, "playcount": 1, "duration": 7}]
    body = {"toptracks": {"track": tracks, "@attr": {"user": "ana"}}}
    landing.write([answer("a", "user.getTopTracks", body)])
    landing.load(target=target)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "alter table raw.lastfm__user_top_tracks drop column duration_seconds"
        )
    landing.write([answer("b", "user.getTopTracks", body)], "run-2")
    landing.load("run-2", target)
    found = "select call_id, duration_seconds from raw.lastfm__user_top_tracks"
    assert sorted(rows(engine, found)) == [("a", None), ("b", 7)]


def test_only_a_table_that_grew_is_analyzed_whole(
    tmp_path: Path, postgres_url: str, engine: Engine
) -> None:
    landing = Landing(tmp_path)
    target = Target(url=postgres_url)
    seen = []
    loads = (("Low", 1, 200), ("Can", 201, 210), ("Can", 301, 500))
    for number, (name, first, last) in enumerate(loads):
        artist = {"#text": name, "mbid": ""}
        page = scrobbles([scrobble(uts, artist=artist) for uts in range(first, last)])
        landing.write([answer(f"a{number}", RECENT, page)], f"run-{number}")
        landing.load(f"run-{number}", target)
        found = rows(
            engine,
            "select attname, most_common_vals::text from pg_stats where"
            " tablename = 'lastfm__user_recent_tracks'"
            " and attname in ('artist_name', 'load_id') order by attname",
        )
        seen.append(dict(found))
    assert [each["artist_name"] for each in seen] == ["{Low}", "{Low}", "{Can,Low}"]
    assert [each["load_id"] for each in seen] == ["{1}", "{1,2}", "{1,3,2}"]


def test_the_fence_is_checked_inside_the_transaction(
    tmp_path: Path, postgres_url: str, engine: Engine
) -> None:
    landing = Landing(tmp_path)
    landing.write([answer("a", RECENT, scrobbles([scrobble(1)]))])
    seen: list[bool] = []

    def fence(connection: object) -> None:
        seen.append(connection is not None)
        if connection is not None:
            raise LoadFailed("the lease is lost")

    with pytest.raises(LoadFailed, match="the lease is lost"):
        load(
            Target(url=postgres_url),
            landing.landing_dir,
            landing.parts,
            "run-1",
            DAY,
            tmp_path / "work",
            fence,
        )
    assert seen == [False, True]
    assert rows(engine, "select * from raw.loads") == []


def test_dead_letters_are_waived_on_postgres_too(
    tmp_path: Path, postgres_url: str, engine: Engine
) -> None:
    landing = Landing(tmp_path)
    target = Target(url=postgres_url)
    landing.write([answer("a", RECENT, "no JSON")])
    landing.load(target=target)
    (letter,) = dead_letters.open_dead_letters(target)
    wanted = Decision(letter.dead_letter_id, "waived", "100 % fine", MOMENT)
    assert dead_letters.waive(target, [wanted], lambda _connection: None) == 1
    assert dead_letters.open_dead_letters(target) == []
    assert rows(engine, "select reason from raw.dead_letter_decisions") == [
        ("100 % fine",)
    ]
