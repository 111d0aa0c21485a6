"""A history is imported, published and looked at, by the commands a person types."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.listenbrainz.client import Client
from ingest.listenbrainz.walk import walk
from local_lastfm import LocalLastfm
from tests.daily_runs import FIRST_DAY, Daily, copy_of
from warehouse import ops
from warehouse.settings import Settings

pytestmark = pytest.mark.long

HAS, NEW, LISTENS = "Margor", "Bea_of_no_account", "Lis_of_listenbrainz"
_PLAYS = """
    select
        cast(extract(epoch from plays.scrobbled_at) as bigint) as started,
        artists.artist_name, tracks.track_name
    from marts.fct_scrobbles as plays
    inner join marts.dim_artists as artists on artists.artist_id = plays.artist_id
    inner join marts.dim_tracks as tracks on tracks.track_id = plays.track_id
    where plays.listener_id = $1
    order by 1, 2, 3
"""


def plays_of(daily: Daily, listener: str) -> list[tuple[Any, ...]]:
    with daily.open_published() as connection:
        return connection.execute(_PLAYS, [listener.casefold()]).fetchall()


def exported(folder: Path, plays: list[tuple[Any, ...]]) -> tuple[Path, Path]:
    """The plays as a CSV file, and as Spotify has them: by their ends."""
    csv, spotify = folder / "plays.csv", folder / "history.json"
    rows = [f'{start},"{artist}","{track}"' for start, artist, track in plays]
    csv.write_text("uts,artist,track\n" + "\n".join(rows) + "\n")
    ends = [
        {
            "ts": f"{datetime.fromtimestamp(start + 35, UTC):%Y-%m-%dT%H:%M:%SZ}",
            "ms_played": 35_000,
            "master_metadata_track_name": track,
            "master_metadata_album_artist_name": artist,
        }
        for start, artist, track in plays
    ]
    spotify.write_text(json.dumps(ends))
    return csv, spotify


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


def test_a_history_is_imported_once_and_changes_nothing_that_lastfm_knows(
    demo: LocalLastfm, first_day: Path, tmp_path: Path
) -> None:
    daily = copy_of(demo, first_day, tmp_path / "warehouse")
    before = plays_of(daily, HAS)
    plays = [play for play in before if '"' not in f"{play[1]}{play[2]}"]
    assert len(plays) > 100
    csv, spotify = exported(tmp_path, plays)
    files = (str(csv), str(spotify))
    said = daily.run("import", *files, "--listener", HAS, "--preview")
    assert f"published already: about {len(plays):,}; new: about 0" in said
    assert "nothing is landed" in said
    said = daily.run("import", *files, "--listener", NEW, "--preview")
    assert f"nothing is published of {NEW} yet" in said
    for listener in (HAS, NEW):
        on = ("--listener", listener, "--as-of", str(FIRST_DAY))
        said = daily.run("import", *files, *on)
        assert f"{2 * len(plays):,} plays of {listener} are landed" in said
        assert "imported before, nothing is new" in daily.run("import", *files, *on)
    land_listens(demo, daily, HAS, LISTENS)
    daily.run("publish", "--as-of", str(FIRST_DAY))
    # Files and ListenBrainz tell of last.fm's plays again: they stay what they were.
    assert plays_of(daily, HAS) == before
    assert plays_of(daily, NEW) == plays
    assert plays_of(daily, LISTENS) == before
    said = daily.run("import", str(csv), "--listener", "x" * 65, expect=2)
    assert "is no name" in said
    said = daily.run(
        "import", str(csv), "--listener", NEW, "--zone", "Nowhere", expect=2
    )
    assert "is no time zone" in said
