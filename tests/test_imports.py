"""A history is imported, published and looked at, by the commands a person types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.exports.landing import land
from ingest.exports.reading import read, readings
from ingest.exports.registry import FORMATS
from ingest.listenbrainz.client import Client
from ingest.listenbrainz.walk import walk
from local_lastfm import LocalLastfm
from tests.daily_runs import FIRST_DAY, Daily, copy_of, make_daily
from tests.export_files import (
    HEARD_SECONDS,
    WITHOUT_ALBUMS,
    WRITERS,
    Played,
    can_say,
)
from warehouse import ops
from warehouse.settings import Settings

pytestmark = pytest.mark.long

HAS, NEW, LISTENS = "Margor", "Bea_of_no_account", "Lis_of_listenbrainz"
_PLAYS = """
    select
        cast(extract(epoch from plays.scrobbled_at) as bigint) as started,
        artists.artist_name, tracks.track_name, coalesce(albums.album_name, '')
    from marts.fct_scrobbles as plays
    inner join marts.dim_artists as artists on artists.artist_id = plays.artist_id
    inner join marts.dim_tracks as tracks on tracks.track_id = plays.track_id
    left join marts.dim_albums as albums on albums.album_id = plays.album_id
    where plays.listener_id = $1
    order by all
"""
#: What a listener's marts say of the plays alone: lengths depend on when they came.
_MARTS = {
    "fct_scrobbles": "scrobbled_at, artist_id, track_id, album_id",
    "fct_listener_days": "scrobbled_date, scrobbles, tracks, artists, albums,"
    " active_hours, first_scrobbled_at, last_scrobbled_at",
    "listener_artists": "artist_id, scrobbles, first_scrobbled_at, last_scrobbled_at",
    "artist_listener_weeks": "artist_id, week_start, scrobbles",
    "listener_hours": "weekday, hour, scrobbles",
    "listener_top": "entity_type, period, period_start, place, rank, entity_id,"
    " scrobbles, share_pct, entities",
    "listener_trends": "period, period_start, scrobbles, tracks, artists",
}


def plays_of(daily: Daily, listener: str) -> list[Played]:
    with daily.open_published() as connection:
        found = connection.execute(_PLAYS, [listener.casefold()]).fetchall()
    return [Played(*row) for row in found]


def marts_of(daily: Daily, listener: str) -> dict[str, list[tuple[Any, ...]]]:
    with daily.open_published() as connection:
        return {
            mart: connection.execute(
                f"select {columns} from marts.{mart} where listener_id = $1"
                " order by all",
                [listener.casefold()],
            ).fetchall()
            for mart, columns in _MARTS.items()
        }


def of_format(name: str) -> str:
    """The listener whose history stands in one format alone."""
    return f"Only_{name}"


def land_files(daily: Daily, listener: str, paths: Sequence[Path]) -> dict[str, int]:
    """Land files as the command does; returns plays taken by format."""
    engine = ops.open_ops(Settings(data_dir=daily.data_dir))
    now = datetime.now(UTC).replace(tzinfo=None)
    taken = {}
    for reading in readings(paths):
        land(
            engine,
            daily.data_dir / "landing",
            listener,
            reading,
            read(reading, now),
            as_of=FIRST_DAY,
            now=now,
            check=lambda _connection: None,
        )
        taken |= {each.format.name: each.tally.taken for each in reading.files}
    engine.dispose()
    return taken


def land_listens(lastfm: LocalLastfm, daily: Daily, *listeners: str) -> None:
    """Land what ListenBrainz has of `HAS` for these listeners, as a run does."""
    engine = ops.open_ops(Settings(data_dir=daily.data_dir))
    url = f"{lastfm.listenbrainz_url}/at/{FIRST_DAY}"
    with Client(url) as client:
        for listener in listeners:
            walk(
                client,
                engine,
                daily.data_dir / "landing",
                listener,
                HAS,
                run_id="listens",
                as_of=FIRST_DAY,
                check=lambda _connection: None,
            )
    engine.dispose()


def test_a_history_comes_back_from_every_format_and_changes_nothing_that_is_known(
    demo: LocalLastfm, first_day: Path, tmp_path: Path
) -> None:
    assert set(WRITERS) == {each.name for each in FORMATS}
    daily = copy_of(demo, first_day, tmp_path / "warehouse")
    before, marts = plays_of(daily, HAS), marts_of(daily, HAS)
    assert len(before) > 200 and all(marts.values())
    said = {name: [p for p in before if can_say(name, p)] for name in WRITERS}
    assert sum(len(plays) < len(before) for plays in said.values()) <= 2
    files = {name: tmp_path / f"{name}.any" for name in WRITERS}
    for name, write in WRITERS.items():
        files[name].write_bytes(write(said[name]))
        # By its content alone it is known what the file is, and every row is a play.
        taken = land_files(daily, of_format(name), [files[name]])
        assert taken == {name: len(said[name])}
    land_files(daily, HAS, [path for name, path in files.items() if name != "maloja"])
    last = (str(files["maloja"]), "--listener", HAS)
    on = ("--as-of", str(FIRST_DAY))
    told = daily.run("import", *last, "--preview")
    assert f"published already: about {len(before):,}; new: about 0" in told
    assert "nothing is landed" in told
    told = daily.run("import", *last, *on)
    assert f"{len(before):,} plays of {HAS} landed" in told
    assert "imported before, nothing is new" in daily.run("import", *last, *on)
    land_listens(demo, daily, HAS, LISTENS)
    daily.run("publish", *on)
    # Files and ListenBrainz tell of last.fm's plays again: they stay what they were.
    assert plays_of(daily, HAS) == before and marts_of(daily, HAS) == marts
    assert plays_of(daily, LISTENS) == before
    for name in WRITERS:
        assert plays_of(daily, of_format(name)) == as_told(name, said[name]), name
        is_exact = STAMPS[name] in ("second", "end") and name not in WITHOUT_ALBUMS
        if is_exact and said[name] == before:
            assert marts_of(daily, of_format(name)) == marts, name
    # The control: what a file does not tell is not there.
    assert plays_of(daily, of_format("jellyfin")) != before


def as_told(name: str, plays: Sequence[Played]) -> list[Played]:
    """The plays as far as the format knows them: to the minute, or without albums."""
    cut, back = 1, 0
    if STAMPS[name] == "minute":
        cut = 60
    if STAMPS[name] == "end minute":
        cut, back = 60, HEARD_SECONDS
    return sorted(
        play._replace(
            began=(play.began + back) // cut * cut - back,
            album="" if name in WITHOUT_ALBUMS else play.album,
        )
        for play in plays
    )


STAMPS = {each.name: each.stamp for each in FORMATS}


def test_a_name_or_a_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    daily = make_daily(tmp_path, "http://127.0.0.1:9/2.0/", ())
    file = tmp_path / "plays.csv"
    file.write_text("uts,artist,track\n1700000000,Low,Sunflower\n")
    said = daily.run("import", str(file), "--listener", "x" * 65, expect=2)
    assert "is no name" in said
    zone = ("--zone", "Nowhere")
    said = daily.run("import", str(file), "--listener", NEW, *zone, expect=2)
    assert "is no time zone" in said
