"""Landing files without a listener: answers about them, and lists that name them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from ingest import landing
from ingest.forgetting import NEW, forget_landed
from ingest.landing import Record, list_parts, read_part, write_part
from ingest.lastfm import friends
from warehouse import ops
from warehouse.settings import Settings

DAY = date(2026, 3, 1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = ops.open_ops(Settings(data_dir=tmp_path))
    ops.ensure_tables(engine, landing.metadata)
    yield engine
    engine.dispose()


def record(method: str, body: Any, **params: str) -> Record:
    return Record(
        call_id=f"{method} {sorted(params.items())}",
        run_id="run",
        as_of_date=DAY,
        method=method,
        params=params,
        context=None,
        attempt=1,
        fetched_at=datetime(2026, 3, 1),
        status=200,
        body=json.dumps(body).encode(),
    )


def friends_of(user: str, *names: str) -> dict[str, Any]:
    rows = [{"name": name, "country": "None"} for name in names]
    return {"friends": {"user": rows, "@attr": {"user": user, "total": "2"}}}


RECORDS = [
    record("user.getRecentTracks", {"recenttracks": {"track": []}}, user="Anna"),
    record("user.getInfo", {"error": 6, "message": "no user anna"}, user="aNNa"),
    record("user.getFriends", friends_of("Bert", "ANNA", "carl"), user="Bert"),
    record("user.getFriends", friends_of("carl", "annabel"), user="carl"),
    record("artist.getInfo", {"artist": {"name": "Anna"}}, artist="Anna"),
    record(
        "published",
        {
            "published": {
                "versions": [],
                "restatements": [
                    {"entity_type": "listener", "entity_id": "anna", "entity": "Anna"},
                    {"entity_type": "artist", "entity_id": "anna", "entity": "Anna"},
                ],
            }
        },
    ),
]


def nothing(_: Connection) -> None: ...


def test_answers_go_friends_go_and_things_of_the_same_name_stay(
    tmp_path: Path, engine: Engine
) -> None:
    root = tmp_path / "landing"
    write_part(root, DAY, "run", RECORDS, engine)
    untouched = write_part(root, DAY, "other", RECORDS[3:5], engine)
    before = (root / untouched.part).read_bytes()
    assert forget_landed(engine, root, {"anna"}, nothing) == 4
    with engine.begin() as connection:
        parts = list_parts(connection)
    assert landing.verify(root, parts) == []
    part = next(each for each in parts if each.run_id == "run")
    assert part.answers == 4
    left = list(read_part(root, part))
    assert [each.params.get("user") for each in left[:2]] == ["Bert", "carl"]
    assert json.loads(left[0].body) == friends_of("Bert", "carl")
    assert left[1:3] == RECORDS[3:5]
    news = json.loads(left[3].body)["published"]["restatements"]
    assert [row["entity_type"] for row in news] == ["artist"]
    assert (root / untouched.part).read_bytes() == before
    assert forget_landed(engine, root, {"anna"}, nothing) == 0


class Killed(BaseException):
    pass


@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_part_is_whole_wherever_its_rewriting_was_killed(
    tmp_path: Path,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    is_recorded: bool,
) -> None:
    root = tmp_path / "landing"
    written = write_part(root, DAY, "run", RECORDS, engine)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        if is_recorded:
            patched.setattr(Path, "replace", die)
        forget_landed(engine, root, {"anna"}, nothing if is_recorded else die)
    assert (root / f"{written.part}{NEW}").exists()
    # The control: the listener is still in the file that counts.
    assert b"Anna" in b"".join(landing.read_lines(root, written))
    forget_landed(engine, root, {"anna"}, nothing)
    with engine.begin() as connection:
        parts = list_parts(connection)
    assert landing.verify(root, parts) == []
    assert [part.answers for part in parts] == [4]
    assert [path.name for path in root.glob("*/*")] == [Path(written.part).name]


def test_a_single_friend_that_is_no_list_goes_too() -> None:
    one = {"friends": {"user": {"name": "Anna"}, "@attr": {"user": "Bert"}}}
    left = json.loads(friends.without(json.dumps(one).encode(), {"Anna"}.__contains__))
    assert left["friends"] == {"user": [], "@attr": {"user": "Bert"}}
    assert friends.without(b"no json", {"Anna"}.__contains__) == b"no json"
