"""Real listening, all of it: counted from the files it came in to the marts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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


Lines = list[list[str]]


@dataclass
class Hetrec:
    """A warehouse of the data set, and the lines of its files it was made of."""

    daily: Daily
    listeners: set[str]
    folder: Path

    def lines(self, name: str) -> Lines:
        """What a file says of these listeners."""
        text = (self.folder / name).read_text(encoding="utf-8")
        rows = [line.split("\t") for line in text.splitlines()[1:]]
        return [row for row in rows if row[0] in self.listeners]

    def impossible(self) -> Lines:
        """Tags given before there was a last.fm."""
        tags = self.lines("user_taggedartists.dat")
        return [row for row in tags if int(row[5]) < 2002]


@pytest.fixture(scope="module", params=[4, pytest.param(1, marks=pytest.mark.chaos)])
def hetrec(
    request: pytest.FixtureRequest,
    shared_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Hetrec:
    """Listeners of the data set, landed, loaded, built and published.

    All 1,892, or every fourth and those with a date that cannot be.
    """
    daily = make_daily(tmp_path_factory.mktemp("hetrec") / "data", "", ())
    folder = shared_dir / "datasets" / "hetrec2011-lastfm-2k"
    world = LocalLastfm(f"hetrec:{folder}")
    made = Hetrec(daily, set(world.world.listeners), folder)
    odd = {row[0] for row in made.impossible()}
    made.listeners = {*world.world.listeners[:: request.param], *odd}
    engine = ops.open_ops(Settings(data_dir=daily.data_dir))
    ops.ensure_tables(engine, landing.metadata)
    answers = hetrec_answers(world, made.listeners)
    landing.write_part(daily.data_dir / "landing", TODAY, "hetrec", answers, engine)
    engine.dispose()
    daily.run("publish", "--as-of", str(TODAY))
    return made


def hetrec_answers(world: LocalLastfm, listeners: set[str]) -> Iterator[Record]:
    """What the world answers about each listener: plays, friends, tags."""
    with httpx2.Client(transport=world.transport()) as client:
        for listener in sorted(listeners):
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


def test_hetrec_has_all_its_play_counts_and_artists_in_staging(hetrec: Hetrec) -> None:
    lines = hetrec.lines("user_artists.dat")
    assert len(lines) > 20_000
    assert hetrec.daily.rows(
        "select count(*), count(distinct artist_name)"
        " from staging.stg_lastfm__user_top_artists",
    ) == [(len(lines), len({artist for _, artist, _ in lines}))]


def test_hetrec_has_all_its_tag_assignments_and_puts_five_dates_aside(
    hetrec: Hetrec,
) -> None:
    lines = hetrec.lines("user_taggedartists.dat")
    assert len(lines) > 40_000
    assert hetrec.daily.rows(
        "select count(*) from staging.stg_lastfm__user_personal_tags"
    ) == [(len(lines),)]
    assert len(hetrec.impossible()) == 5
    assert hetrec.daily.rows(
        "select count(*) filter (where has_impossible_date),"
        " count(*) filter (where has_impossible_date and tagged_date is not null)"
        " from marts.listener_tag_assignments",
    ) == [(5, 0)]
    (low, high) = hetrec.daily.rows(
        "select extract(year from min(tagged_date)), extract(year from"
        " max(tagged_date)) from marts.listener_tag_assignments",
    )[0]
    assert (low, high) == (2005, 2011)


def test_hetrec_sums_agree_from_landing_to_marts(hetrec: Hetrec) -> None:
    plays = sum(int(weight) for *_, weight in hetrec.lines("user_artists.dat"))
    assert hetrec.daily.rows(
        "select sum(playcount)::bigint from raw.lastfm__user_top_artists"
    ) == [(plays,)]
    assert hetrec.daily.rows(
        "select sum(items), sum(loaded), sum(dead) from raw.lastfm__answers",
    ) == hetrec.daily.rows("select sum(items), sum(rows), sum(dead) from raw.loads")
    friends = len(hetrec.lines("user_friends.dat"))
    assert friends > 5_000
    assert hetrec.daily.rows("select count(*) from marts.listener_friends") == [
        (friends,)
    ]


def test_hetrec_listeners_have_neighbours_and_recommendations_without_scrobbles(
    hetrec: Hetrec,
) -> None:
    most = 0.95 * len(hetrec.listeners)
    neighbours = hetrec.daily.rows(
        "select count(distinct listener_id), min(affinity) > 0, max(affinity) <= 1"
        " from marts.listener_neighbours",
    )[0]
    assert neighbours[0] > most, neighbours
    assert neighbours[1:] == (True, True)
    assert hetrec.daily.rows(
        f"select count(distinct listener_id) > {most} from marts.recommended_artists",
    ) == [(True,)]


def test_the_sample_of_lastfm_1k_has_all_its_scrobbles(
    shared_dir: Path, lastfm_1k: Path
) -> None:
    (tsv,) = (shared_dir / "datasets" / "lastfm-1k-sample").glob("*.tsv")
    daily = make_daily(lastfm_1k, "", ())
    lines = tsv.read_text(encoding="utf-8").splitlines()
    keys = {tuple(line.split("\t")[i] for i in (0, 1, 3, 5)) for line in lines}
    assert len(keys) == 5_000
    assert daily.rows(
        "select count(*), count(distinct listener_id) from marts.fct_scrobbles",
    ) == [(5_000, 2)]
    assert daily.rows(
        "select (select sum(scrobbles) from marts.fct_listener_days)::bigint,"
        " (select scrobbles from marts.totals where period = 'all_time')",
    ) == [(5_000, 5_000)]
