"""Real listening, all of it: counted from the files it came in to the marts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import orjson
import pytest

from ingest import landing
from ingest.landing import Record
from local_lastfm import LocalLastfm
from tests.daily_runs import Daily, make_daily
from warehouse import ops
from warehouse.settings import Settings

pytestmark = pytest.mark.long
TODAY = datetime.now(UTC).date()


def rows_of(daily: Daily, sql: str) -> list[tuple[object, ...]]:
    with daily.open_published() as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def hetrec(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Daily:
    """All 1,892 listeners of the data set, landed, loaded, built and published."""
    daily = make_daily(tmp_path_factory.mktemp("hetrec") / "data", "", ())
    world = LocalLastfm(f"hetrec:{shared_dir}/datasets/hetrec2011-lastfm-2k")
    engine = ops.open_ops(Settings(data_dir=daily.data_dir))
    ops.ensure_tables(engine, landing.metadata)
    landing.write_part(
        daily.data_dir / "landing", TODAY, "hetrec", hetrec_answers(world), engine
    )
    engine.dispose()
    daily.run("publish", "--as-of", str(TODAY))
    return daily


def hetrec_answers(world: LocalLastfm) -> Iterator[Record]:
    """What the world answers about each listener: plays, friends, tags."""
    with httpx2.Client(transport=world.transport()) as client:
        for listener in world.world.listeners:
            user = {"user": listener, "limit": "1000"}
            yield answered(client, "user.getTopArtists", user | {"period": "overall"})
            yield answered(client, "user.getFriends", user)
            tags = answered(client, "user.getTopTags", user)
            yield tags
            found = orjson.loads(tags.body)["toptags"]["tag"]
            for tag in found if isinstance(found, list) else [found]:
                asked = user | {"tag": tag["name"], "taggingtype": "artist"}
                yield answered(client, "user.getPersonalTags", asked)


def answered(client: httpx2.Client, method: str, params: dict[str, str]) -> Record:
    query = {**params, "method": method, "api_key": "local", "format": "json"}
    answer = client.post("http://127.0.0.1/2.0/", data=query)
    return Record(
        call_id=f"{method} {sorted(params.items())}",
        run_id="hetrec",
        as_of_date=TODAY,
        method=method,
        params=params,
        context=None,
        attempt=1,
        fetched_at=datetime.now(UTC).replace(tzinfo=None),
        status=answer.status_code,
        body=answer.content,
        verdict="data" if answer.status_code == 200 else "error 6",
    )


def test_hetrec_has_all_its_play_counts_and_artists_in_staging(hetrec: Daily) -> None:
    assert rows_of(
        hetrec,
        "select count(*), count(distinct artist_name)"
        " from staging.stg_lastfm__user_top_artists",
    ) == [(92_834, 17_632)]


def test_hetrec_has_all_its_tag_assignments_and_puts_five_dates_aside(
    hetrec: Daily,
) -> None:
    assert rows_of(
        hetrec, "select count(*) from staging.stg_lastfm__user_personal_tags"
    ) == [(186_479,)]
    assert rows_of(
        hetrec,
        "select count(*) filter (where has_impossible_date),"
        " count(*) filter (where has_impossible_date and tagged_date is not null)"
        " from marts.listener_tag_assignments",
    ) == [(5, 0)]
    (low, high) = rows_of(
        hetrec,
        "select extract(year from min(tagged_date)), extract(year from"
        " max(tagged_date)) from marts.listener_tag_assignments",
    )[0]
    assert (low, high) == (2005, 2011)


def test_hetrec_sums_agree_from_landing_to_marts(
    hetrec: Daily, shared_dir: Path
) -> None:
    path = shared_dir / "datasets" / "hetrec2011-lastfm-2k" / "user_artists.dat"
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    plays = sum(int(line.split("\t")[2]) for line in lines)
    assert rows_of(
        hetrec, "select sum(playcount)::bigint from raw.lastfm__user_top_artists"
    ) == [(plays,)]
    assert rows_of(
        hetrec,
        "select sum(items), sum(loaded), sum(dead) from raw.lastfm__answers",
    ) == rows_of(hetrec, "select sum(items), sum(rows), sum(dead) from raw.loads")
    assert rows_of(hetrec, "select count(*) from marts.listener_friends") == [(25_434,)]


def test_hetrec_listeners_have_neighbours_and_recommendations_without_scrobbles(
    hetrec: Daily,
) -> None:
    neighbours = rows_of(
        hetrec,
        "select count(distinct listener_id), min(affinity) > 0, max(affinity) <= 1"
        " from marts.listener_neighbours",
    )[0]
    assert neighbours[0] > 1_800, neighbours
    assert neighbours[1:] == (True, True)
    assert rows_of(
        hetrec,
        "select count(distinct listener_id) > 1800 from marts.recommended_artists",
    ) == [(True,)]


def test_the_sample_of_lastfm_1k_has_all_its_scrobbles(
    shared_dir: Path, lastfm_1k: Path
) -> None:
    (tsv,) = (shared_dir / "datasets" / "lastfm-1k-sample").glob("*.tsv")
    daily = make_daily(lastfm_1k, "", ())
    lines = tsv.read_text(encoding="utf-8").splitlines()
    keys = {tuple(line.split("\t")[i] for i in (0, 1, 3, 5)) for line in lines}
    assert len(keys) == 5_000
    assert rows_of(
        daily,
        "select count(*), count(distinct listener_id) from marts.fct_scrobbles",
    ) == [(5_000, 2)]
    assert rows_of(
        daily,
        "select (select sum(scrobbles) from marts.fct_listener_days)::bigint,"
        " (select scrobbles from marts.totals where period = 'all_time')",
    ) == [(5_000, 5_000)]
