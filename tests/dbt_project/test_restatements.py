"""The log of what was published otherwise: the truth, row by row, and never rewritten.

Libraries change from load to load over a turn of the year; a truth in plain Python says
what the log has to say, and what each version published is kept and asked for again.
"""

from __future__ import annotations

import itertools
import json
import os
import pickle
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.daily_runs import once
from tests.dbt_project.project import (
    RawWarehouse,
    differences,
    postgres_rows,
    run_dbt,
    version_name,
)
from warehouse.run import Target

SHARED = Path(os.environ.get("SHARED_DIR", Path(__file__).parents[3] / "shared"))
SELECT = ("+restatements", "+chart_issues", "+chart_revisions", "+fct_chart_positions")
LOG = {
    "restatements": "edition, subject, entity_type, entity_id, restated_date",
    "chart_issues": "chart, scope, period, issue_date, revision",
    "chart_revisions": "chart, scope, period, issue_date, revision, position",
    "fct_chart_positions": "chart, scope, period, issue_date, position",
}
CONTENT = (
    "position",
    "rank",
    "entity_id",
    "scrobbles",
    "scrobbles_counted",
    "listeners",
)
Rows = list[dict[str, Any]]
# The version that is rolled back to: before every name, tag and merge that changes.
KEPT = 3
# (second, artist, track) of a play, and its album.
Library = dict[tuple[int, str, str], str | None]


def second(day: date, number: int) -> int:
    """The n-th second of a UTC day that a play can have."""
    return int(datetime.combine(day, time(1), UTC).timestamp()) + 600 * number


class History:
    """Libraries, the loads that bring them, and the versions that are published."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = RawWarehouse(folder)
        self.libraries: dict[str, Library] = {}
        self.loads: list[date] = []
        self.as_published: list[dict[str, Library]] = []
        self.logs: list[dict[str, Rows]] = []
        self.kept: Path | None = None

    def play(self, listener: str, day: date, plays: int, *, artists: int = 5) -> None:
        """New plays of a day, after those that are there."""
        library = self.libraries.setdefault(listener, {})
        taken = {uts for uts, _, _ in library}
        number = 0
        while plays:
            uts = second(day, number)
            if uts not in taken:
                artist = (number * 7 + day.toordinal()) % artists
                key = (uts, f"Artist {artist}", f"Track {number % 3}")
                library[key] = f"Album {artist}"
                plays -= 1
            number += 1

    def of_day(self, listener: str, day: date) -> list[tuple[int, str, str]]:
        """The plays of a listener's day, in order."""
        start = second(day, 0)
        return sorted(
            key for key in self.libraries[listener] if 0 <= key[0] - start < 80_000
        )

    def deliver(self, load_id: int, day: date, listener: str, since: date) -> None:
        """A complete walk over the library from a day on."""
        call = {
            "load_id": load_id,
            "call_id": f"{listener} {load_id} {since}",
            "as_of_date": day,
            "fetched_at": datetime.combine(day, time(22, load_id)),
        }
        from_uts = second(since, -6)
        found = [
            (*k, a) for k, a in self.libraries[listener].items() if k[0] > from_uts
        ]
        self.warehouse.insert(
            "lastfm__user_recent_tracks",
            [
                {
                    **call,
                    "item_index": index,
                    "listener_name": listener,
                    "is_now_playing": False,
                    "scrobbled_uts": uts,
                    "artist_name": artist,
                    "track_name": track,
                    "album_name": album,
                }
                for index, (uts, artist, track, album) in enumerate(found)
            ],
        )
        self.warehouse.insert(
            "lastfm__scrobble_walks",
            [
                {
                    **call,
                    "listener_name": listener,
                    "walk_id": f"{listener} {load_id} {since}",
                    "walk_from_uts": from_uts,
                    "walk_to_uts": second(day, 125),
                    "pages": 1,
                    "page": 1,
                    "total": len(found),
                }
            ],
        )

    def answer(self, load_id: int, day: date) -> None:
        """The record that the load's calls were answered, and the load's own row."""
        at = datetime.combine(day, time(22, load_id))
        self.warehouse.insert(
            "lastfm__answers",
            [
                {
                    "load_id": load_id,
                    "as_of_date": day,
                    "fetched_at": at,
                    "call_id": f"any {load_id}",
                    "attempt": 1,
                    "run_id": "run",
                    "method": "user.getRecentTracks",
                    "status": 200,
                    "bytes": 1,
                    "outcome": "rows",
                    "items": 0,
                    "loaded": 0,
                    "dead": 0,
                }
            ],
        )
        self.warehouse.insert(
            "loads",
            [
                {
                    "load_id": load_id,
                    "run_id": "run",
                    "as_of_date": day,
                    "loaded_at": at,
                    **dict.fromkeys(("answers", "items", "rows", "dead"), 0),
                }
            ],
        )

    def answer_facts(self, load_id: int, day: date) -> None:
        """Names, tags and corrections: each changes once."""
        call = {"load_id": load_id, "as_of_date": day}
        if load_id == 4:
            self.warehouse.insert(
                "lastfm__artist_infos",
                [{**call, "artist_name": "ARTIST 1", "listeners": 1, "playcount": 2}],
            )
        if load_id in (1, 6):
            tag = "rock" if load_id == 1 else "pop"
            self.warehouse.insert(
                "lastfm__artist_top_tags",
                [
                    {
                        **call,
                        "artist_name": "Artist 4",
                        "position": 1,
                        "tag_name": tag,
                        "tag_count": 100,
                    }
                ],
            )
        if load_id == 8:
            self.warehouse.insert(
                "lastfm__artist_corrections",
                [
                    {
                        **call,
                        "requested_name": "Artist 2",
                        "artist_name": "Artist 3",
                    }
                ],
            )

    def publish(self, load_id: int, day: date) -> None:
        """Build what the load touches, and publish it."""
        self.answer(load_id, day)
        self.warehouse.build(
            *SELECT, built_through=load_id - 1, version=version_name(load_id, day)
        )
        self.loads.append(day)
        self.as_published.append({n: dict(x) for n, x in self.libraries.items()})
        self.logs.append(
            {mart: self.warehouse.rows(f"marts.{mart}", LOG[mart]) for mart in LOG}
        )
        if load_id == KEPT:
            self.kept = self.warehouse.folder / "kept.duckdb"
            shutil.copy(self.warehouse.path, self.kept)
        self.warehouse.publish(load_id, day)

    def move_to(self, folder: Path) -> None:
        """Its files are in another folder now."""
        self.warehouse.folder = folder
        self.warehouse.path = folder / self.warehouse.path.name
        self.kept = folder / self.kept.name if self.kept else None


def made_once(shared: Path, name: str, fill: Callable[[History], None]) -> History:
    """A history that the first test process to come makes for all."""

    def make(folder: Path) -> None:
        folder.mkdir()
        history = History(folder)
        fill(history)
        (folder / "history.pickle").write_bytes(pickle.dumps(history))

    folder = once(shared, name, make)
    history: History = pickle.loads((folder / "history.pickle").read_bytes())
    history.move_to(folder)
    return history


def truth_of_plays(history: History) -> Counter[tuple[Any, ...]]:
    """What the log has to say of plays: version, subject, listener, day, plays."""
    found: Counter[tuple[Any, ...]] = Counter()
    for number in range(1, len(history.loads)):
        today, published = history.loads[number], history.loads[number - 1]
        before, now = history.as_published[number - 1 : number + 1]
        for listener, library in now.items():
            old = before.get(listener, {})
            came = Counter(key[0] for key in library.keys() - old.keys())
            went = Counter(key[0] for key in old.keys() - library.keys())
            edited = Counter(
                key[0]
                for key in old.keys() & library.keys()
                if old[key] != library[key]
            )
            for uts in came.keys() | went.keys() | edited.keys():
                day = datetime.fromtimestamp(uts, UTC).date()
                if day > today - timedelta(days=2) or day >= published:
                    continue
                moved = min(came[uts], went[uts])
                for subject, plays in (
                    ("came_late", came[uts] - moved),
                    ("went", went[uts] - moved),
                    ("edited", moved + edited[uts]),
                ):
                    if plays:
                        found[number + 1, subject, listener, day] += plays
    return found


def said_of_plays(rows: Iterable[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    return Counter(
        {
            (r["edition"], r["subject"], r["entity_id"], r["restated_date"]): r["plays"]
            for r in rows
            if r["plays"] is not None
        }
    )


# ---------------------------------------------------------------------------- the case


def day_of(text: str) -> date:
    return date.fromisoformat(text)


@pytest.fixture(scope="module")
def case(shared_folder: Path) -> History:
    """The loads of case 16, run in order."""
    path = SHARED / "cases" / "16-restatements.json"
    if not path.exists():
        pytest.skip("the shared cases are not here")
    loads = json.loads(path.read_text())["loads"]
    return made_once(shared_folder, "case-16", lambda one: run_case(one, loads))


def run_case(history: History, loads: list[dict[str, Any]]) -> None:
    for load in loads:
        number, day = load["load"], day_of(load["day"])
        for field in ("plays", "plays_new", "late"):
            for played, plays in load.get(field, {}).items():
                history.play("ann", day_of(played), plays)
        library = history.libraries["ann"]
        for played, plays in load.get("deleted", {}).items():
            for key in history.of_day("ann", day_of(played))[:plays]:
                del library[key]
        for played, plays in load.get("retitled", {}).items():
            for uts, artist, track in history.of_day("ann", day_of(played))[-plays:]:
                album = library.pop((uts, artist, track))
                library[uts, artist, f"{track} (Live)"] = album
        since = day - timedelta(days=1)
        if "late" in load or "whole_history_walked_again" in load or number == 1:
            since = day_of(loads[0]["day"]) - timedelta(days=30)
        history.deliver(number, day, "ann", since)
        if number == 2:
            history.deliver(number, day, "ann", day - timedelta(days=2))
        history.publish(number, day)


def test_the_log_says_what_changed_and_nothing_that_was_only_delivered_again(
    case: History,
) -> None:
    logs = [log["restatements"] for log in case.logs]
    assert [len(log) for log in logs] == [0, 0, 3, 3]
    said = {
        (row["subject"], row["restated_date"], row["plays"]): row for row in logs[2]
    }
    late = said["came_late", date(2026, 11, 9), 3]
    went = said["went", date(2026, 11, 10), 2]
    edited = said["edited", date(2026, 11, 10), 1]
    assert (late["old_value"], late["new_value"]) == ("12 plays", "15 plays")
    assert (went["old_value"], went["new_value"]) == ("8 plays", "6 plays")
    assert edited["new_value"] == edited["old_value"].replace(
        " (Album", " (Live) (Album"
    )
    assert {row["version"] for row in logs[2]} == {"20261112-000003"}
    assert logs[3] == logs[2], "old rows stay as they were"


def test_a_full_build_from_the_same_landing_has_the_same_log(
    case: History, tmp_path: Path
) -> None:
    # As a fresh warehouse loads it: all of landing in one load.
    assert anew(case, tmp_path, "1") == case.logs[-1]


def anew(
    history: History, folder: Path, load_id: str, without: str = "?"
) -> dict[str, Rows]:
    """The log of a full build in another file, with the loads numbered anew.

    Without the rows of the raw tables whose names begin with `without`.
    """
    folder = folder / f"anew {load_id}"
    folder.mkdir()
    other = RawWarehouse(folder)
    with duckdb.connect(str(other.path)) as connection:
        connection.execute(f"attach '{history.warehouse.path}' as old (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables()"
            " where database_name = 'old' and schema_name = 'raw'"
        ).fetchall()
        for (table,) in tables:
            if table.startswith(without):
                continue
            # The last load's row stands for the one load.
            last = f"where load_id = {len(history.loads)}"
            where = last if table == "loads" and load_id == "1" else ""
            replaced = (
                "" if table == "load_parts" else f"replace ({load_id} as load_id)"
            )
            connection.execute(
                f"insert into raw.{table} by name"
                f" select * {replaced} from old.raw.{table} {where}"
            )
    other.build(*SELECT, version="29990101-000099")
    return {mart: other.rows(f"marts.{mart}", order) for mart, order in LOG.items()}


# -------------------------------------------------------------- a turn of the year

FIRST = date(2025, 12, 24)
#: The days of the loads after the first; runs are missed, and one day has two runs.
RUNS = (*range(5, 9), 11, 12, 12, 16)


@pytest.fixture(scope="module")
def years(shared_folder: Path) -> History:
    """Two weeks over the turn of the year with every kind of change."""
    return made_once(shared_folder, "years", run_years)


def run_years(history: History) -> None:
    listeners = ("ann", "bob", "cat")
    chance = random.Random(20)
    for listener in listeners:
        for back in range(40, 0, -1):
            history.play(listener, FIRST - timedelta(days=back), 3)
    for number, offset in enumerate((0, *RUNS), 1):
        day = FIRST + timedelta(days=offset)
        for listener in listeners:
            library = history.libraries[listener]
            missed = offset - (0, *RUNS)[max(number - 2, 0)]
            for back in range(max(missed, 1)):
                history.play(listener, day - timedelta(days=back), 2)
            if number > 1 and chance.random() < 0.6:
                for _ in range(2):
                    history.play(
                        listener, day - timedelta(days=chance.randrange(1, 30)), 1
                    )
                for key in chance.sample(sorted(library), 4):
                    uts, artist, track = key
                    match chance.choice(("delete", "album", "title", "artist")):
                        case "delete":
                            del library[key]
                        case "album":
                            library[key] = f"Edited {number}"
                        case "title":
                            library[uts, artist, f"Title {number}"] = library.pop(key)
                        case "artist":
                            library[uts, f"By {number}", track] = library.pop(key)
            # Every play is delivered again and again; only content may count.
            history.deliver(number, day, listener, FIRST - timedelta(days=60))
        history.answer_facts(number, day)
        history.publish(number, day)


def test_the_log_of_plays_is_the_truth_row_by_row(years: History) -> None:
    truth = truth_of_plays(years)
    assert said_of_plays(years.logs[-1]["restatements"]) == truth
    assert {subject for _, subject, _, _ in truth} == {"came_late", "went", "edited"}
    days = {day for *_, day in truth}
    assert min(days) < date(2026, 1, 1) <= max(days), "over the turn of the year"


def test_names_tags_and_merges_are_logged_once_each(years: History) -> None:
    said = [
        (row["edition"], row["subject"], row["old_value"], row["new_value"])
        for row in years.logs[-1]["restatements"]
        if row["plays"] is None
    ]
    assert said == [
        (4, "renamed", "Artist 1", "ARTIST 1"),
        (6, "retagged", "rock", "pop"),
        (8, "merged", "Artist 2", "Artist 3"),
    ]


def test_old_rows_of_the_log_are_never_rewritten(years: History) -> None:
    for before, after in itertools.pairwise(years.logs):
        for mart in ("restatements", "chart_issues", "chart_revisions"):
            kept = [row for row in after[mart] if row in before[mart]]
            assert kept == before[mart], mart
    # The control: the log grows.
    assert len(years.logs[-1]["restatements"]) > len(years.logs[5]["restatements"]) > 5


def test_every_version_can_be_asked_for_what_it_published(years: History) -> None:
    now = years.logs[-1]
    revisions: dict[tuple[Any, ...], Rows] = {}
    for row in (*now["chart_revisions"], *now["fct_chart_positions"]):
        revisions.setdefault((*issue_of(row), row["revision"]), []).append(row)
    replaced = 0
    for edition, log in enumerate(years.logs, 1):
        shown: dict[tuple[Any, ...], int] = {}
        for row in now["chart_issues"]:
            if row["edition"] <= edition:
                shown[issue_of(row)] = row["revision"]
        published: dict[tuple[Any, ...], Rows] = {}
        for row in log["fct_chart_positions"]:
            published.setdefault(issue_of(row), []).append(row)
        for issue, rows in published.items():
            found = revisions[*issue, shown[issue]]
            assert content(found) == content(rows), (edition, issue)
            replaced += shown[issue] < max(
                row["revision"] for row in now["chart_issues"] if issue_of(row) == issue
            )
    assert replaced > 20, "revisions that others replaced were asked for"


def issue_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["chart"], row["scope"], row["period"], row["issue_date"]


def content(rows: Rows) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[name] for name in CONTENT) for row in rows)


def test_a_restatement_names_the_final_charts_that_changed_with_it(
    years: History,
) -> None:
    log = years.logs[-1]
    changed = [row for row in log["restatements"] if row["charts_changed"]]
    assert changed
    for row in changed:
        if row["restated_date"] is None:
            continue
        issues = [
            issue
            for issue in log["chart_issues"]
            if issue["edition"] == row["edition"]
            and issue["revision"] > 1
            and issue["finality"] == "final"
        ]
        names = {f"{issue['chart']} {issue['period']}" for issue in issues}
        assert set(row["charts_changed"].split(", ")) <= names
        assert row["issues_changed"] <= len(issues)


def test_a_full_build_has_the_same_log_and_revisions(
    years: History, tmp_path: Path
) -> None:
    assert anew(years, tmp_path, "load_id") == years.logs[-1]
    fresh = anew(years, tmp_path, "1")
    for mart in ("restatements", "chart_issues", "chart_revisions"):
        assert fresh[mart] == years.logs[-1][mart], mart


def test_a_rollback_logs_nothing_twice_and_loses_nothing(
    years: History, tmp_path: Path
) -> None:
    """The file of an old version, and in one load all that was landed since."""
    other = RawWarehouse(tmp_path)
    assert years.kept is not None
    shutil.copy(years.kept, other.path)
    with duckdb.connect(str(other.path)) as connection:
        connection.execute(f"attach '{years.warehouse.path}' as new (read_only)")
        for (table,) in connection.execute(
            "select table_name from duckdb_tables()"
            " where database_name = 'new' and schema_name = 'raw'"
        ).fetchall():
            # Keys of names are all of the first load here.
            since = f"load_id > {KEPT}"
            if table == "lastfm__name_keys":
                since = "name not in (select name from raw.lastfm__name_keys)"
            connection.execute(
                f"insert into raw.{table} by name select *"
                f" replace ({KEPT + 1} as load_id) from new.raw.{table} where {since}"
            )
    other.build(*SELECT, built_through=KEPT, version="29990101-000099")
    for mart in ("restatements", "chart_issues", "chart_revisions"):
        found = other.rows(f"marts.{mart}", LOG[mart])
        assert found == years.logs[-1][mart], mart


def test_without_what_was_landed_there_is_no_log(
    years: History, tmp_path: Path
) -> None:
    """The control of the full build: nothing but the landed rows makes the log."""
    found = anew(years, tmp_path, "load_id", without="published__")
    assert found["restatements"] == []
    assert {row["revision"] for row in found["chart_issues"]} == {1}


@pytest.mark.postgres
def test_both_engines_have_the_same_log_and_revisions(
    years: History, postgres_url: str, tmp_path: Path
) -> None:
    years.warehouse.copy_raw_to(postgres_url)
    run_dbt(Target(url=postgres_url), tmp_path, *SELECT)
    for mart, order in LOG.items():
        found = postgres_rows(postgres_url, f"marts_build.{mart}", order)
        assert not differences(years.logs[-1][mart], found), mart
