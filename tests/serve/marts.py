"""Small marts from a seed, for DuckDB and PostgreSQL alike, published like real ones.

The columns are those of the contracts; the names hold what hurts: markup, quotes,
formulas, right-to-left overrides, emoji.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from tests.mart_columns import mart_columns
from warehouse.names import name_key
from warehouse.project import variables

SEED = 20260314
ODD_NAMES = [
    "<script>alert(1)</script>",
    "=1+1",
    "@home",
    "-Low-",
    'Say "Hi", ok; drop',
    "\u202eevil",
    "Björk 🎧",
    "100%_sure!",
]

DAY = timedelta(days=1)
Row = dict[str, Any]


def key(text: str) -> str:
    """An id as the marts make it (names here need no folding but case)."""
    return hashlib.md5(text.casefold().encode(), usedforsecurity=False).hexdigest()


@dataclass
class World:
    """The rows of all marts as of one day."""

    as_of: date
    rows: dict[str, list[Row]] = field(
        default_factory=lambda: {name: [] for name in mart_columns()}
    )

    def __getitem__(self, table: str) -> list[Row]:
        return self.rows[table]


def make_world(as_of: date = date(2026, 3, 14), days: int = 500) -> World:
    """A world of 30 artists, 6 listeners and `days` days, the same for the same day."""
    chance = random.Random(SEED)
    world = World(as_of)
    names = ODD_NAMES + [f"Artist {number:02}" for number in range(22)]
    names.append("Artist 00 feat. Artist 01")
    artists = [(key(name), name) for name in names]
    tags = [(key(name), name) for name in ("rock", "jazz", "ambient")]
    listeners = ["anna", "bert", "carl", "dora", "emil", "fred"]
    first = as_of - timedelta(days=days - 1)
    tracks = []
    for number, (artist_id, name) in enumerate(artists):
        for index in range(3):
            seconds = None if index == 2 else 150 + 30 * index
            tracks.append((key(f"{name}\x1fSong {index}"), f"Song {index}", artist_id))
            world["dim_tracks"].append(
                {
                    "track_id": tracks[-1][0],
                    "track_name": f"Song {index}",
                    "artist_id": artist_id,
                    "artist_name": name,
                    "duration_seconds": seconds,
                    "listeners": 100 + number,
                    "playcount": 500 + number,
                    "scrobbles": 0,
                }
            )
        world["artist_top_tracks"].append(
            {
                "artist_id": artist_id,
                "rank": 1,
                "track_id": tracks[-3][0],
                "name": "Song 0",
                "playcount": 9000 + number,
                "listeners": 900,
            }
        )
        album_id = key(f"{name}\x1fAlbum")
        world["dim_albums"].append(
            {
                "album_id": album_id,
                "album_name": f"Album of {name}",
                "artist_id": artist_id,
                "artist_name": name,
                # Every other album has a cover.
                "cover_id": None if number % 2 else key(f"{name}\x1fcover"),
                "tracks": 3,
                "scrobbles": 0,
                "scrobbles_counted": 0,
            }
        )
        world["artist_top_albums"].append(
            {
                "artist_id": artist_id,
                "rank": 1,
                "album_id": album_id,
                "name": f"Album of {name}",
                "playcount": 7000,
            }
        )
        tag_id, tag_name = tags[number % 3]
        world["artist_tags"].append(
            {
                "artist_id": artist_id,
                "tag_id": tag_id,
                "tag_name": tag_name,
                "weight": 100 - number,
                "rank": 1,
            }
        )
        other = artists[(number + 1) % len(artists)]
        world["artist_similar"].append(
            {
                "artist_id": artist_id,
                "similar_artist_id": other[0],
                "similar_artist_name": other[1],
                "match": 0.75,
                "rank": 1,
            }
        )
    _histories(world, first)
    world["artist_anomalies"].append(
        {
            "artist_id": key("Artist 00"),
            "anomaly_date": first,
            "kind": "merge",
            "evidence": "as many plays more as an artist had that answers no more",
            "listeners_change": 400,
            "playcount_change": 9000,
            "usual_plays_per_day": 120.0,
            "other_artist_name": "<b>Artist</b>",
            "other_playcount": 9100,
        }
    )
    world["dim_artist_aliases"].append(
        {
            "alias_artist_id": key("artist zero"),
            "alias_name": "Artist Zero",
            "artist_id": key("Artist 00"),
        }
    )
    for tag_id, tag_name in tags:
        world["dim_tags"].append(
            {
                "tag_id": tag_id,
                "tag_name": tag_name,
                "reach": 1000,
                "taggings": 5000,
                "artists": 10,
            }
        )
    _plays(world, chance, artists, tracks, listeners, first, days)
    _counters(world, chance, artists, first, days)
    _rollups(world, artists, tracks, tags, listeners, first)
    for thing in ("artist", "track", "album", "tag"):
        for row in world[f"dim_{thing}s"]:
            row["name_key"] = name_key(row[f"{thing}_name"])
    for row in world["dim_listeners"]:
        row["country_key"] = name_key(row["country"]) if row.get("country") else None
    _charts(world, chance, artists)
    _published(world)
    world["value_constants"].extend(
        [
            {
                "constant": name,
                "symbol": "α" if name == "level_gain" else None,
                "meaning": f"what {name} is",
                "unit": "share",
                "value": float(value),
                "default_value": float(value),
                "is_fitted": False,
            }
            for name, value in variables()["value"].items()
        ]
    )
    world["freshness"].append(
        {
            "source": "lastfm__chart_top_artists",
            "last_as_of_date": as_of,
            "last_fetched_at": datetime.combine(as_of, datetime.min.time()),
            "rows": 1000,
        }
    )
    return world


def _histories(world: World, first: date) -> None:
    """The lists of today hold since a month ago; before, each had another item."""
    since = world.as_of - timedelta(days=30)
    for list_name, mart, item_id, score in (
        ("tags", "artist_tags", "tag_id", "weight"),
        ("similar", "artist_similar", "similar_artist_id", "match"),
        ("tracks", "artist_top_tracks", "track_id", "playcount"),
        ("albums", "artist_top_albums", "album_id", "playcount"),
    ):
        items = [row[item_id] for row in world[mart]]
        for number, row in enumerate(world[mart]):
            for item, begin, end in (
                (items[number - 1], first + timedelta(days=9), since),
                (row[item_id], since, None),
            ):
                world["artist_list_history"].append(
                    {
                        "artist_id": row["artist_id"],
                        "list_name": list_name,
                        "item_id": item,
                        "rank": 1,
                        "score": float(row[score]),
                        "valid_from_date": begin,
                        "valid_to_date": end,
                    }
                )
    for mbid, begin, end in (("old", first, since), ("new", since, None)):
        world["mbid_history"].append(
            {
                "entity_type": "artist",
                "entity_id": key("Artist 00"),
                "mbid": mbid,
                "valid_from_date": begin,
                "valid_to_date": end,
            }
        )


def _plays(
    world: World,
    chance: random.Random,
    artists: list[tuple[str, str]],
    tracks: list[tuple[str, str, str]],
    listeners: list[str],
    first: date,
    days: int,
) -> None:
    for day_number in range(days):
        day = first + timedelta(days=day_number)
        for number, listener in enumerate(listeners):
            if chance.random() < 0.25:
                continue
            for _ in range(chance.randint(1, 4 + number)):
                track_id, _, artist_id = tracks[int(len(tracks) * chance.random() ** 2)]
                at = datetime.combine(day, datetime.min.time()) + timedelta(
                    seconds=chance.randint(0, 86399)
                )
                name = dict(artists)[artist_id]
                world["fct_scrobbles"].append(
                    {
                        "scrobble_id": key(f"{listener}{at}{track_id}"),
                        "listener_id": listener,
                        "artist_id": artist_id,
                        "track_id": track_id,
                        "album_id": key(f"{name}\x1fAlbum"),
                        "scrobbled_at": at,
                        "scrobbled_date": day,
                        "is_flagged": (listener, day_number % 30) == (listeners[-1], 5),
                        "load_id": 1,
                    }
                )


def _counters(
    world: World,
    chance: random.Random,
    artists: list[tuple[str, str]],
    first: date,
    days: int,
) -> None:
    for number, (artist_id, name) in enumerate(artists):
        listeners, playcount = 10_000 * (number + 1), 90_000 * (number + 1)
        for day_number in range(days):
            day = first + timedelta(days=day_number)
            listeners += chance.randint(0, 40)
            playcount += chance.randint(0, 400)
            if day_number % 50 in (7, 8):  # holes of two days
                continue
            world["fct_artist_snapshots"].append(
                {
                    "artist_id": artist_id,
                    "snapshot_date": day,
                    "observed_at": datetime.combine(day, datetime.min.time()),
                    "listeners": listeners,
                    "playcount": playcount,
                    "hours_since_previous": 24.0,
                    "days_since_previous": 1,
                    "new_listeners_per_day": chance.random() * 40,
                    "plays_per_day": chance.random() * 400,
                    "is_stalled": False,
                }
            )
            score = chance.random() * 100
            world["fct_artist_values"].append(
                {
                    "artist_id": artist_id,
                    "value_date": day,
                    "new_listeners_per_day": 20.0,
                    "plays_per_day": 200.0,
                    "day_factor": 0.1,
                    "log_attention": -3.0,
                    "attention_share": 0.01,
                    "forecast_error": 0.0,
                    "level": -3.0,
                    "transient": 0.01,
                    "error_variance": 0.04,
                    "log_value": -2.9,
                    "value": 0.05 + chance.random() / 100,
                    "fundamental_price": 100.0 + score / 10,
                    "score": score,
                    "value_low": 0.04,
                    "value_high": 0.07,
                    "sigma": 0.1,
                    "history_days": day_number,
                    "confidence": 0.9,
                    "is_listed": number % 4 != 3,
                    "stage": "mid-level",
                    "growth": 0.4,
                    "growth_label": "even",
                    "trend_slope": 0.001,
                    "trend_slope_low": -0.001,
                    "trend_slope_high": 0.003,
                    "trend_words": "no clear trend",
                    "is_rising": False,
                    "surprise_z": chance.gauss(0, 1),
                    "classic_base_price": 10.0,
                    "classic_score": 5.0,
                    "classic_dividend": 0.1,
                    "is_observed": True,
                }
            )
        world["dim_artists"].append(
            {
                "artist_id": artist_id,
                "artist_name": name,
                "is_tracked": True,
                "top_tag": "rock",
                "listeners": listeners,
                "playcount": playcount,
                "spellings": 1,
                "first_seen_date": first,
            }
        )


def _rollups(
    world: World,
    artists: list[tuple[str, str]],
    tracks: list[tuple[str, str, str]],
    tags: list[tuple[str, str]],
    listeners: list[str],
    first: date,
) -> None:
    plays = world["fct_scrobbles"]
    names = dict(artists)
    track_names = {track[0]: track[1] for track in tracks}
    lengths = {row["track_id"]: row["duration_seconds"] for row in world["dim_tracks"]}

    for play in plays:
        play["duration_seconds"] = lengths[play["track_id"]]
        play["listening_seconds"] = play["duration_seconds"] or 210

    def seconds(rows: list[Row]) -> int:
        return sum(row["listening_seconds"] for row in rows)

    def without_length(rows: list[Row]) -> int:
        return sum(row["duration_seconds"] is None for row in rows)

    def clean(rows: list[Row]) -> list[Row]:
        return [row for row in rows if not row["is_flagged"]]

    def different(column: str, rows: list[Row]) -> set[Any]:
        return {row[column] for row in rows}

    def grouped(rows: list[Row], *columns: str) -> dict[Any, list[Row]]:
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            found = tuple(row[column] for column in columns)
            groups.setdefault(found[0] if len(found) == 1 else found, []).append(row)
        return groups

    for row in world["dim_artists"]:
        mine = [play for play in plays if play["artist_id"] == row["artist_id"]]
        row["scrobbles"] = len(mine)
        row["panel_listeners"] = len({play["listener_id"] for play in mine})
        row["scrobbles_counted"] = len(clean(mine))
        row["panel_listeners_counted"] = len(different("listener_id", clean(mine)))
    by_track = grouped(plays, "track_id")
    for row in world["dim_tracks"]:
        row["scrobbles"] = len(by_track.get(row["track_id"], []))
        row["scrobbles_counted"] = len(clean(by_track.get(row["track_id"], [])))
    for listener, mine in grouped(plays, "listener_id").items():
        times = [play["scrobbled_at"] for play in mine]
        world["dim_listeners"].append(
            {
                "listener_id": listener,
                "listener_name": listener.title(),
                "country": "Norway" if listener < "c" else "Japan",
                "registered_date": date(2010, 1, 1),
                "playcount": len(mine) + 5,
                "scrobbles": len(mine),
                "missing_scrobbles": 5,
                "first_scrobbled_at": min(times),
                "last_scrobbled_at": max(times),
                "is_flagged": False,
                "is_complete": True,
            }
        )
    for (listener, day), mine in grouped(
        plays, "listener_id", "scrobbled_date"
    ).items():
        world["fct_listener_days"].append(
            {
                "listener_id": listener,
                "scrobbled_date": day,
                "scrobbles": len(mine),
                "tracks": len({play["track_id"] for play in mine}),
                "artists": len({play["artist_id"] for play in mine}),
                "albums": len({play["album_id"] for play in mine}),
                "active_hours": len({play["scrobbled_at"].hour for play in mine}),
                "listening_seconds": seconds(mine),
                "is_flagged": mine[0]["is_flagged"],
            }
        )
    for (listener, artist_id), mine in grouped(
        plays, "listener_id", "artist_id"
    ).items():
        times = [play["scrobbled_at"] for play in mine]
        world["listener_artists"].append(
            {
                "listener_id": listener,
                "artist_id": artist_id,
                "scrobbles": len(mine),
                "listening_seconds": seconds(mine),
                "first_scrobbled_at": min(times),
                "last_scrobbled_at": max(times),
            }
        )
    for who in ["", *listeners]:
        mine = [play for play in plays if who in ("", play["listener_id"])]
        for weekday in range(1, 8):
            for hour in range(24):
                world["listener_hours"].append(
                    {
                        "listener_id": who,
                        "weekday": weekday,
                        "hour": hour,
                        "scrobbles": sum(
                            play["scrobbled_at"].isoweekday() == weekday
                            and play["scrobbled_at"].hour == hour
                            for play in mine
                        ),
                        "scrobbles_clean": sum(
                            play["scrobbled_at"].isoweekday() == weekday
                            and play["scrobbled_at"].hour == hour
                            for play in clean(mine)
                        ),
                    }
                )
        for period in ("day", "week", "month", "year"):
            groups: dict[date, list[Row]] = {}
            day = first
            while day <= world.as_of:
                groups.setdefault(start(period, day), [])
                day += timedelta(days=1)
            for play in mine:
                groups[start(period, play["scrobbled_date"])].append(play)
            for period_start, found in groups.items():
                world["listener_trends"].append(
                    {
                        "listener_id": who,
                        "period": period,
                        "period_start": period_start,
                        "is_running": _is_running(period, period_start, world.as_of),
                        "is_cut": period_start < first,
                        "scrobbles": len(found),
                        "tracks": len(different("track_id", found)),
                        "artists": len(different("artist_id", found)),
                        "active_listeners": len(different("listener_id", found)),
                        "listening_seconds": seconds(found),
                        "scrobbles_clean": len(clean(found)),
                        "tracks_clean": len(different("track_id", clean(found))),
                        "artists_clean": len(different("artist_id", clean(found))),
                        "active_listeners_clean": len(
                            different("listener_id", clean(found))
                        ),
                        "listening_seconds_clean": seconds(clean(found)),
                    }
                )
    for period in ("week", "month", "quarter", "half_year", "year", "all_time"):
        periods = grouped(
            [
                {**play, "start": start(period, play["scrobbled_date"])}
                for play in plays
            ],
            "start",
        )
        for period_start, found in periods.items():
            world["totals"].append(
                {
                    "period": period,
                    "period_start": period_start,
                    "period_end": max(play["scrobbled_date"] for play in found),
                    "scrobbles": len(found),
                    "tracks": len({play["track_id"] for play in found}),
                    "artists": len({play["artist_id"] for play in found}),
                    "albums": len({play["album_id"] for play in found}),
                    "listeners": len({play["listener_id"] for play in found}),
                    "listening_seconds": seconds(found),
                    "scrobbles_without_duration": without_length(found),
                    "scrobbles_clean": len(clean(found)),
                    "tracks_clean": len(different("track_id", clean(found))),
                    "artists_clean": len(different("artist_id", clean(found))),
                    "albums_clean": len(different("album_id", clean(found))),
                    "listeners_clean": len(different("listener_id", clean(found))),
                    "listening_seconds_clean": seconds(clean(found)),
                    "scrobbles_without_duration_clean": without_length(clean(found)),
                }
            )
            for kind, column in (("artist", "artist_id"), ("track", "track_id")):
                entities = grouped(found, column)
                by_all = sorted(entities, key=lambda key: (-len(entities[key]), key))
                ordered = sorted(
                    entities.items(),
                    key=lambda item: (
                        -len(clean(item[1])),
                        -len(different("listener_id", clean(item[1]))),
                        -len(item[1]),
                        item[0],
                    ),
                )
                for rank, (entity, mine) in enumerate(ordered, 1):
                    artist_id = mine[0]["artist_id"]
                    name = names[entity] if kind == "artist" else track_names[entity]
                    row = {
                        "entity_type": kind,
                        "period": period,
                        "period_start": period_start,
                        "entity_id": entity,
                        "entity_name": name,
                        "artist_id": artist_id,
                        "artist_name": names[artist_id],
                        "rank": rank if clean(mine) else None,
                        "place": rank if clean(mine) else None,
                        "scrobbles": len(mine),
                        "scrobbles_flagged": len(mine) - len(clean(mine)),
                        "scrobbles_counted": len(clean(mine)),
                        "listeners": len(different("listener_id", mine)),
                        "listeners_counted": len(different("listener_id", clean(mine))),
                        "listening_seconds": seconds(mine),
                        "listening_seconds_counted": seconds(clean(mine)),
                        "share_pct": 100.0 * len(clean(mine)) / len(clean(found)),
                        "rank_all": by_all.index(entity) + 1,
                        "place_all": by_all.index(entity) + 1,
                        "share_all_pct": 100.0 * len(mine) / len(found),
                    }
                    world["top_charts"].append(row)
    for listener in listeners:
        mine = [play for play in plays if play["listener_id"] == listener]
        entities = sorted(
            grouped(mine, "artist_id").items(),
            key=lambda item: (-len(item[1]), item[0]),
        )
        for rank, (entity, found) in enumerate(entities, 1):
            world["listener_top"].append(
                {
                    "listener_id": listener,
                    "entity_type": "artist",
                    "period": "all_time",
                    "period_start": first,
                    "rank": rank,
                    "entity_id": entity,
                    "entity_name": names[entity],
                    "artist_id": entity,
                    "artist_name": names[entity],
                    "scrobbles": len(found),
                    "share_pct": 100.0 * len(found) / len(mine),
                }
            )
        for rank, other in enumerate((o for o in listeners if o != listener), 1):
            world["listener_neighbours"].append(
                {
                    "listener_id": listener,
                    "neighbour_id": other,
                    "rank": rank,
                    "affinity": 1.0 / (abs(ord(listener[0]) - ord(other[0])) + 1),
                    "intensity": 0.5,
                    "shared_artists": 10 + abs(ord(listener[0]) - ord(other[0])),
                }
            )
        for rank, (artist_id, name) in enumerate(artists[:3], 1):
            reason = {"reason": "heard by Bert", "reason_kind": "neighbours"}
            row = {
                "listener_id": listener,
                "rank": rank,
                "artist_id": artist_id,
                "artist_name": name,
                "score": 1.0 / rank,
                **reason,
            }
            world["recommended_artists"].append(row)
            world["recommended_tracks"].append(
                {**row, "track_id": key(f"{name}\x1fSong 0"), "track_name": "Song 0"}
            )


def _is_running(period: str, first: date, as_of: date) -> bool:
    return start(period, as_of) == first and start(period, as_of + DAY) == first


def _charts(
    world: World, chance: random.Random, artists: list[tuple[str, str]]
) -> None:
    seen: dict[str, list[int]] = {}
    previous: dict[str, int] = {}
    monday = start("week", world.as_of)
    for back in range(60, -1, -1):
        issue_date = monday - timedelta(weeks=back)
        order = sorted(artists, key=lambda artist: chance.random())
        ranks: dict[str, int] = {}
        for rank, (artist_id, name) in enumerate(order, 1):
            is_below = rank > 20
            before = previous.get(artist_id)
            history = seen.setdefault(artist_id, [])
            if not is_below:
                ranks[artist_id] = rank
                history.append(rank)
            world["fct_chart_positions"].append(
                {
                    "chart": "panel_artists",
                    "scope": "",
                    "period": "week",
                    "issue_date": issue_date,
                    "revision": 1,
                    "position": rank,
                    "rank": rank,
                    "entity_id": artist_id,
                    "entity_name": name,
                    "artist_id": artist_id,
                    "artist_name": name,
                    "previous_rank": before,
                    "movement": _movement(rank, before, history),
                    "rank_change": None if before is None else before - rank,
                    "peak_rank": min(history, default=rank),
                    "peak_first_date": issue_date,
                    "issues_at_peak": 1,
                    "issues_on_chart": len(history),
                    "run_number": 1,
                    "run_length": 1,
                    "issues_at_1": history.count(1),
                    "scrobbles": 400 - 10 * rank,
                    "scrobbles_flagged": 4,
                    "scrobbles_counted": 390 - 10 * rank,
                    "listeners": (heard := chance.randint(1, 6)),
                    "listeners_counted": heard,
                    "minutes": 3.5 * (400 - 10 * rank),
                    "minutes_counted": 3.5 * (390 - 10 * rank),
                    "share_pct": 10.0 / rank,
                    "lead_over_2_pct": 2.0 if rank == 1 else None,
                    "points": 21 - rank if not is_below else 0,
                    "is_bubbling_under": is_below,
                }
            )
        previous = ranks
    for country in ("Norway", "Japan"):
        for rank, (artist_id, name) in enumerate(artists[:10], 1):
            world["fct_chart_positions"].append(
                {
                    "chart": "country_artists",
                    "scope": country,
                    "period": "day",
                    "issue_date": world.as_of,
                    "revision": 1,
                    "position": rank,
                    "rank": rank,
                    "entity_id": artist_id,
                    "entity_name": name,
                    "artist_id": artist_id,
                    "artist_name": name,
                    "movement": "NEW",
                    "peak_rank": rank,
                    "issues_on_chart": 1,
                    "listeners": 1000 - rank,
                    "points": 11 - rank,
                    "is_bubbling_under": False,
                }
            )


def _published(world: World) -> None:
    """What versions published: one issue was changed once, and two listeners' day."""
    changed = start("week", world.as_of) - timedelta(weeks=3)
    kept = mart_columns()["chart_revisions"]
    issues: dict[tuple[str, str, str, date], list[Row]] = {}
    for row in world["fct_chart_positions"]:
        issue = (row["chart"], row["scope"], row["period"], row["issue_date"])
        issues.setdefault(issue, []).append(row)
    first = {"version": "20260301-000001", "edition": 1, "revision": 1}
    second = {"version": "20260313-000002", "edition": 2, "revision": 2}
    for (chart, scope, period, issue_date), rows in issues.items():
        is_changed = chart == "panel_artists" and issue_date == changed
        for said in (first, second) if is_changed else (first,):
            world["chart_issues"].append(
                {
                    "chart": chart,
                    "scope": scope,
                    "period": period,
                    "issue_date": issue_date,
                    "finality": "final",
                    "places": len(rows),
                    "changed_places": 2 if said is second else len(rows),
                    "first_before": rows[1]["entity_name"] if said is second else None,
                    "first_now": rows[said is first and is_changed]["entity_name"],
                    **said,
                }
            )
        for row in rows if is_changed else ():
            row["revision"] = 2
            other = rows[{1: 1, 2: 0}.get(row["rank"], row["rank"] - 1)]
            world["chart_revisions"].append(
                {
                    **{name: other[name] for name in row if name in kept},
                    **{n: row[n] for n in ("rank", "previous_rank", "movement")},
                    "position": row["rank"],
                    "revision": 1,
                    "is_bubbling_under": row["is_bubbling_under"],
                }
            )
    for listener, plays in (("anna", 2), ("bert", 1)):
        world["restatements"].append(
            {
                **{name: second[name] for name in ("version", "edition")},
                "subject": "came_late",
                "entity_type": "listener",
                "entity_id": listener,
                "entity_name": listener.title(),
                "restated_date": changed,
                "plays": plays,
                "old_value": "10 plays",
                "new_value": f"{10 + plays} plays",
                "reason": "last.fm sent them after the day was final",
                "charts_changed": "panel_artists week",
                "issues_changed": 1,
            }
        )
    for kind, old, new in (
        ("artist", ODD_NAMES[0], ODD_NAMES[1]),
        ("listener", "carl", "Carl"),
    ):
        world["restatements"].append(
            {
                **{name: second[name] for name in ("version", "edition")},
                "subject": "renamed",
                "entity_type": kind,
                "entity_id": key(old),
                "entity_name": new,
                "old_value": old,
                "new_value": new,
                "reason": "last.fm writes the name otherwise",
                "issues_changed": 0,
            }
        )


def _movement(rank: int, before: int | None, history: list[int]) -> str:
    if before is None:
        return "NEW" if len(history) <= 1 else "RE"
    if before == rank:
        return "SAME"
    return "UP" if before > rank else "DOWN"


def start(period: str, day: date) -> date:
    """The first day of a period; all of time starts with the first play."""
    if period == "all_time":
        return date(2002, 10, 1)
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    months = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}[period]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def write_duckdb(world: World, path: Path) -> None:
    """Write all marts into a new DuckDB file."""
    import pyarrow

    path.parent.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect(str(path))
    try:
        connection.execute("create schema marts")
        for table, columns in mart_columns().items():
            connection.execute(f"create table marts.{table} ({_typed(columns)})")
            names = list(columns)
            rows = world[table]
            if rows:
                found = {name: [row.get(name) for row in rows] for name in names}
                given = pyarrow.table(found)
                connection.register("given", given)
                connection.execute(
                    f"insert into marts.{table} select {', '.join(names)} from given"
                )
                connection.unregister("given")
    finally:
        connection.close()


def write_postgres(world: World, url: str) -> None:
    """Write all marts into schema marts of an empty database, and the pointer."""
    import psycopg2
    from psycopg2.extras import execute_values

    connection = psycopg2.connect(url.replace("postgresql+psycopg2", "postgresql"))
    with connection, connection.cursor() as cursor:
        cursor.execute("create schema marts")
        cursor.execute("create schema if not exists ops")
        for table, columns in mart_columns().items():
            cursor.execute(f"create table marts.{table} ({_typed(columns)})")
            names = list(columns)
            if world[table]:
                execute_values(
                    cursor,
                    f"insert into marts.{table} ({', '.join(names)}) values %s",
                    [tuple(row.get(name) for name in names) for row in world[table]],
                    page_size=1000,
                )
        cursor.execute(
            "create table ops.published (name text primary key, version text,"
            " fence bigint, as_of_date date, published_at timestamp)"
        )
        cursor.execute(
            "create table ops.versions (version text primary key, fence bigint,"
            " as_of_date date, bytes bigint, dropped_at timestamp)"
        )
        cursor.execute(
            "insert into ops.published values ('marts', %s, 1, %s, now())",
            (f"{world.as_of:%Y%m%d}-000001", world.as_of),
        )
        cursor.execute(
            "insert into ops.versions values (%s, 1, %s, 1000, null)",
            (f"{world.as_of:%Y%m%d}-000001", world.as_of),
        )
    connection.close()


def publish(data_dir: Path, version: str, as_of: date) -> None:
    """Move the pointer of a data folder to a version file that is there."""
    fresh = data_dir / "published.json.new"
    fresh.write_text(
        json.dumps(
            {
                "version": version,
                "as_of": as_of.isoformat(),
                "file": f"versions/warehouse-{version}.duckdb",
                "published_at": "2026-03-15T01:02:03Z",
            }
        )
    )
    fresh.replace(data_dir / "published.json")


def version_path(data_dir: Path, version: str) -> Path:
    """Where a version's file belongs."""
    return data_dir / "versions" / f"warehouse-{version}.duckdb"


def _typed(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
