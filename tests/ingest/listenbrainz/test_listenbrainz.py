"""ListenBrainz accounts are walked, landed and loaded, through faults and kills."""

from __future__ import annotations

import json
import logging
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, Engine

from ingest import landing
from ingest.exports.reading import read, readings
from ingest.forgetting import forget_landed, forget_raw
from ingest.landing import list_parts, read_part
from ingest.lastfm.client import RetryPolicy
from ingest.listenbrainz import walk as walking
from ingest.listenbrainz.client import AccountLeftOut, Client, ServerGivenUp
from ingest.listenbrainz.provider import PROVIDER, fetch_accounts, pairs
from ingest.listenbrainz.provider import accounts as named
from ingest.load.load import LoadResult, load
from ingest.load.promote import open_raw
from ingest.provider import Provider
from ingest.providers import names, providers
from local_lastfm import LocalLastfm
from local_lastfm.listenbrainz import METHOD
from serve.accounts.database import ensure_tables, open_accounts
from serve.settings import ServeSettings
from warehouse import ops
from warehouse.errors import LeaseLost, SettingsError
from warehouse.forgetting import ask
from warehouse.linked_accounts import link, unlink_all
from warehouse.names import name_key
from warehouse.run import Run, StepResult, Target
from warehouse.settings import Settings

TODAY = date(2026, 3, 1)
TOKEN = "0a1b2c3d-dead-beef-0000-secretsecret"
PAGE = 100


class Lines:
    """A reporter that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)


class Lease:
    """A lease that is lost after so many transactions."""

    def __init__(self, lasts: int = 10_000) -> None:
        self.left = lasts

    def check(self, _: Connection) -> None:
        if not self.left:
            raise LeaseLost("another run has taken over")
        self.left -= 1


class Place:
    """A data folder, a local server and a clock that only moves while one waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "landing"
        self.engine: Engine = ops.open_ops(Settings(data_dir=folder))
        self.target = Target(duckdb_path=folder / "warehouse.duckdb")
        self.lastfm = LocalLastfm("trouble", today=TODAY)
        self.reporter = Lines()
        self.waits: list[float] = []
        self.clock = 0.0

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock += seconds

    def client(self, **changes: Any) -> Client:
        made = {
            "url": "https://listens.example",
            "transport": self.lastfm.transport(),
            "wait": self.wait,
            "now": lambda: self.clock,
        }
        return Client(**(made | changes))

    def run(self, *accounts: str, day: date = TODAY, lease: Lease | None = None) -> Run:
        settings = Settings(data_dir=self.folder, listenbrainz_accounts=accounts)
        return Run(
            settings=settings,
            engine=self.engine,
            run_id="run-1",
            as_of_date=day,
            lease=lease or Lease(),  # type: ignore[arg-type]
            reporter=self.reporter,  # type: ignore[arg-type]
            work_dir=self.folder / "work",
            last_published=None,
        )

    def fetch(
        self,
        *accounts: str,
        day: date = TODAY,
        lease: Lease | None = None,
        client: Client | None = None,
    ) -> StepResult:
        with client or self.client() as asking:
            run = self.run(*accounts, day=day, lease=lease)
            return fetch_accounts(run, asking, named(run.settings, run.engine))

    @property
    def asked(self) -> list[dict[str, str]]:
        return [each.params for each in self.lastfm.requests.recent]

    def parts(self) -> list[landing.Part]:
        ops.ensure_tables(self.engine, landing.metadata)
        with self.engine.connect() as connection:
            return list_parts(connection, complete_only=True)

    def load(self) -> LoadResult:
        work = self.folder / "work"
        return load(
            self.target, self.root, self.parts(), "run", TODAY, work, lambda _: None
        )

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with open_raw(self.target) as raw:
            return raw.rows(query)

    def plays(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select distinct stamped_uts, artist_name, track_name, album_name"
            " from raw.imports__plays order by all"
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(walking, "PAGE_LISTENS", PAGE)
    made = Place(tmp_path / "data")
    yield made
    made.engine.dispose()


def truth(place: Place) -> list[tuple[Any, ...]]:
    return sorted(
        (play.uts, play.artist_name, play.track_name, play.album_name or None)
        for play in place.lastfm.truth("calm")
    )


def test_a_history_is_landed_page_by_page_and_loaded_as_it_is(place: Place) -> None:
    result = place.fetch("Ana=calm")
    expected = truth(place)
    pages = len(expected) // PAGE + 1
    assert len(expected) > 3 * PAGE
    assert result.detail["answered"] == 1
    assert result.detail["pages"] in (pages, pages + 1)
    loaded = place.load()
    assert loaded.dead == 0 and loaded.brought_items == loaded.items
    assert place.plays() == expected
    rows = place.ask(
        "select distinct listener_name, file, format, stamp, copy"
        " from raw.imports__plays"
    )
    assert rows == [("Ana", "calm", "listenbrainz_api", "second", 1)]
    # The same day again: nothing is asked. The next day: what is new, and two days.
    before = len(place.asked)
    place.fetch("Ana=calm")
    assert len(place.asked) == before
    place.fetch("Ana=calm", day=TODAY + timedelta(days=1))
    assert len(place.asked) == before + 1
    # After a season the whole history, where late listens would be.
    place.fetch("Ana=calm", day=TODAY + timedelta(days=walking.FULL_WALK_DAYS))
    assert len(place.asked) == before + 1 + result.detail["pages"]


def test_a_killed_walk_goes_on_and_asks_for_nothing_that_is_landed(
    place: Place,
) -> None:
    with pytest.raises(LeaseLost):
        place.fetch("Ana=calm", lease=Lease(2))
    assert len(place.parts()) == 2
    assert not [path for path in place.root.glob("*/*") if "0003" in path.name]
    landed = {json.dumps(each) for each in place.asked[:2]}
    place.lastfm.requests.clear()
    place.fetch("Ana=calm")
    assert len(place.asked) >= 2
    # The control: without what was kept, the first page would be asked for again.
    assert not landed & {json.dumps(each) for each in place.asked}
    place.load()
    assert place.plays() == truth(place)


def test_what_came_while_a_walk_lay_is_asked_for_when_it_is_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LeaseLost):
        place.fetch("Ana=calm", lease=Lease(1))
    listener = place.lastfm.world.listener("calm", place.lastfm.world.now())
    assert listener is not None
    latest = place.lastfm.truth("calm")[-1].uts + 1
    place.lastfm.world.plays(listener).add(latest, 0)
    place.fetch("Ana=calm", day=TODAY + timedelta(days=1))
    place.load()
    assert place.plays() == truth(place)
    assert place.plays()[-1][0] == latest


def test_rests_are_kept_and_repeats_are_bounded(place: Place) -> None:
    place.lastfm.set_faults(
        [
            {"kind": "error", "code": 29, "method": METHOD, "count": 1,
             "retry_after": 17},
            {"kind": "error", "code": 8, "method": METHOD, "count": 2},
            {"kind": "truncated", "method": METHOD, "after": 1, "count": 1},
            {"kind": "reset", "method": METHOD, "after": 2, "count": 1},
        ]
    )  # fmt: skip
    result = place.fetch("Ana=calm")
    assert result.detail["answered"] == 1 and result.detail["retries"] == 5
    # The wait is the server's word, to the end of the window.
    assert place.waits[:1] == [17.0]
    place.load()
    assert place.plays() == truth(place)


def test_a_server_that_is_down_leaves_the_rest_out_and_ends_no_day(
    place: Place,
) -> None:
    place.lastfm.set_faults(
        [{"kind": "html", "method": METHOD, "params": {"user": "trouble"}}]
    )
    result = place.fetch("Ana=calm", "Bo=trouble", "Cy=calm")
    assert result.detail["answered"] == 1
    assert [each.split(":")[0] for each in result.detail["left_out"]] == ["Bo", "Cy"]
    assert "left out: Bo, Cy" in result.text
    assert len(place.reporter.said) == 2
    assert result.detail["retries"] == RetryPolicy().tries - 1
    # The next run takes up who was left out.
    place.lastfm.clear_faults()
    result = place.fetch("Ana=calm", "Bo=trouble", "Cy=calm")
    assert result.detail["left_out"] == [] and result.detail["pages"] > 2


def test_a_server_that_asks_for_too_much_patience_is_left_alone(place: Place) -> None:
    place.lastfm.set_faults(
        [{"kind": "error", "code": 29, "method": METHOD, "retry_after": 200}]
    )
    with (
        place.client(policy=RetryPolicy(wait_seconds=300.0)) as client,
        pytest.raises(ServerGivenUp, match="left alone"),
    ):
        client.listens("calm", {})
    assert place.waits == [200.0]


def test_an_unknown_account_is_named_by_its_listener_and_others_go_on(
    place: Place,
) -> None:
    with accounts_of(place).begin() as connection:
        ask(connection, "gone", datetime(2026, 3, 1))
    result = place.fetch("Ana=no such account", "Bo=calm", "Gone=calm", "gone=calm")
    assert result.detail["left_out"] == ["Ana: there is no such account"]
    assert result.detail["accounts"] == 2  # who asked to be deleted is not asked about
    assert "no such account" not in result.text
    assert place.fetch().text == "0 listens of 0 of 0 accounts in 0 requests"
    assert PROVIDER.fetch(place.run()).text == ""


def test_accounts_that_listeners_name_themselves_are_asked_beside_the_settings(
    place: Place,
) -> None:
    beside = accounts_of(place)
    with beside.begin() as connection:
        for number, (name, account) in enumerate((("Zoe", "Zoë LB"), ("Bo", "CALM"))):
            at = datetime(2026, 3, 1, number)
            link(connection, (name_key(name), name), "listenbrainz", account, at)
            link(connection, (name_key(name), name), "another", "not asked", at)
    settings = place.run("Ana=calm", "bo=calm").settings
    # Bo's is in the settings already, in other capitals.
    assert named(settings, place.engine) == [
        *(("Ana", "calm"), ("bo", "calm"), ("Zoe", "Zoë LB"))
    ]
    with beside.begin() as connection:
        link(connection, ("zoe", "Zoe"), "listenbrainz", "other", datetime(2026, 3, 2))
        unlink_all(connection, "bo")
    alone = place.run().settings
    assert named(alone, place.engine) == [("Zoe", "other")]
    with beside.begin() as connection:
        link(connection, ("zoe", "Zoe"), "listenbrainz", None, datetime(2026, 3, 3))
    assert named(alone, place.engine) == []


def accounts_of(place: Place) -> Engine:
    """The accounts' tables of the service, beside the place's journal."""
    opened = open_accounts(ServeSettings(warehouse=Settings(data_dir=place.folder)))
    ensure_tables(opened)
    return opened


@pytest.mark.parametrize("wrong", ["calm", "=calm", "Ana=", "A na=calm", "Ana= calm"])
def test_what_is_no_pair_is_refused(wrong: str) -> None:
    assert pairs(("Ana=calm=er", "b:c=ö x")) == [("Ana", "calm=er"), ("b:c", "ö x")]
    with pytest.raises(SettingsError, match="listener=account"):
        pairs((wrong,))


# ------------------------------------------------------------- answers of our own


def page(*times: int, user: str = "calm", **more: Any) -> dict[str, Any]:
    rows = [
        {"listened_at": at, "track_metadata": {"artist_name": "Low",
                                               "track_name": f"Track {number}"}}
        for number, at in enumerate(times)
    ]  # fmt: skip
    return {"payload": {"count": len(rows), "user_id": user, "listens": rows, **more}}


def answering(
    answer: Callable[[httpx2.Request], httpx2.Response],
) -> httpx2.MockTransport:
    return httpx2.MockTransport(answer)


def test_no_listen_of_a_second_that_two_pages_share_is_lost(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "PAGE_LISTENS", 3)
    history = [90, 80, 80, 70, 70, 70, 60, 50]
    start = 1_700_000_000

    def answer(request: httpx2.Request) -> httpx2.Response:
        below = int(request.url.params.get("max_ts", start + 1000)) - start
        found = [start + at for at in history if at < below][:3]
        body = page(*found, oldest_listen_ts=start + 50)
        return httpx2.Response(200, json=body)

    place.fetch("Ana=calm", client=place.client(transport=answering(answer)))
    place.load()
    found = place.ask("select distinct stamped_uts from raw.imports__plays order by 1")
    assert [uts - start for (uts,) in found] == sorted(set(history))


def test_a_server_that_gives_the_same_page_for_ever_is_left_out(place: Place) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=page(1_700_000_300, 1_700_000_000))

    client = place.client(transport=answering(answer))
    result = place.fetch("Ana=calm", client=client)
    assert result.detail["left_out"] == ["Ana: its pages do not go back in time"]
    assert client.requests == 3 and len(place.parts()) == 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "no page of listens"),
        (b'{"payload": {"listens": [{"listened_at": null}]}}', "no page of listens"),
        (json.dumps(page(5, user="bert")).encode(), "listens of another account"),
    ],
)
def test_nonsense_is_asked_again_and_then_only_the_account_left_out(
    place: Place, body: bytes, said: str
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if "/bert/" in request.url.path:
            return httpx2.Response(200, json=page(user="bert"))
        return httpx2.Response(200, content=body)

    client = place.client(transport=answering(answer))
    result = place.fetch("Ana=calm", "Bo=bert", client=client)
    assert result.detail["left_out"] == [f"Ana: {said}"]
    assert result.detail["answered"] == 1
    assert result.detail["retries"] == RetryPolicy().tries - 1


def test_the_token_is_in_the_header_and_nowhere_else(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if "/moved/" in request.url.path:
            return httpx2.Response(302, headers={"Location": "https://evil.example/"})
        if "/broken/" in request.url.path:
            raise httpx2.ConnectError(f"no route, token={TOKEN}", request=request)
        is_first = "max_ts" not in request.url.params
        return httpx2.Response(200, json=page(1_700_000_000) if is_first else page())

    client = place.client(transport=answering(answer), token=TOKEN)
    result = place.fetch("Ana=calm", "Bo=moved", "Cy=broken", client=client)
    assert {each.headers["Authorization"] for each in seen} == {f"Token {TOKEN}"}
    assert {each.url.host for each in seen} == {"listens.example"}
    assert len(result.detail["left_out"]) == 2
    told = [caplog.text, repr(client), str(result), *place.reporter.said]
    told += [str(list(read_part(place.root, part))) for part in place.parts()]
    assert "***" in "".join(told)  # the control: it was said, and blotted out
    assert TOKEN not in "".join(told) and TOKEN not in str(seen[0].url)


def test_a_listen_of_the_samples_is_read_from_an_answer_as_from_a_file(
    place: Place, shared_dir: Path
) -> None:
    sample = shared_dir / "datasets/exports/listenbrainz/listenbrainz_user_export.zip"
    with zipfile.ZipFile(sample) as archive:
        texts = [
            archive.read(name).decode()
            for name in sorted(archive.namelist())
            if name.endswith(".jsonl") and "/listens/" in f"/{name}"
        ]
    listens = [json.loads(line) for text in texts for line in text.splitlines()]

    def answer(request: httpx2.Request) -> httpx2.Response:
        rows = [] if "max_ts" in request.url.params else listens
        body = {"payload": {"count": len(rows), "user_id": "ana", "listens": rows}}
        return httpx2.Response(200, json=body)

    place.fetch("Ana=ana", client=place.client(transport=answering(answer)))
    place.load()
    now = datetime.now(UTC).replace(tzinfo=None)
    (reading,) = readings([sample])
    taken: list[Any] = [found.row for found in read(reading, now)]
    assert len(taken) == len(listens) > 2
    rows = place.ask(
        "select artist_name, track_name, album_name, started_uts, played_ms"
        " from raw.imports__plays where coalesce(played_ms, 30000) >= 30000"
        " order by line"
    )
    assert rows == [
        (row.artist, row.track, row.album, row.started, row.played_ms) for row in taken
    ]


def test_what_cannot_be_read_is_a_dead_letter_that_keeps_no_day(place: Place) -> None:
    body = page(1_700_000_000, 1_700_000_300, 1_700_000_600)
    rows = body["payload"]["listens"]
    rows[0]["track_metadata"]["artist_name"] = None
    rows[1]["track_metadata"]["additional_info"] = {"duration_played": "12.25"}
    rows[2]["track_metadata"]["additional_info"] = {"duration_played": "long"}

    def answer(request: httpx2.Request) -> httpx2.Response:
        is_first = "max_ts" not in request.url.params
        return httpx2.Response(200, json=body if is_first else page())

    place.fetch("Ana=calm", client=place.client(transport=answering(answer)))
    loaded = place.load()
    assert (loaded.items, loaded.dead, loaded.brought_dead) == (3, 1, 1)
    assert place.ask("select played_ms from raw.imports__plays order by 1") == [
        (12250,),
        (None,),
    ]


def test_deleting_a_listener_leaves_nothing_of_the_account(place: Place) -> None:
    place.fetch("Ana=calm", "Bo=trouble")
    place.load()
    ops.ensure_tables(place.engine, walking.metadata)
    with place.engine.begin() as connection:
        assert PROVIDER.forget(connection, ["ana"]) == 1
    forget_landed(place.engine, place.root, {"ana"}, lambda _: None)
    with open_raw(place.target) as raw:
        forget_raw(raw, ("ana",), place.parts())
    left = place.ask("select distinct listener_name, file from raw.imports__plays")
    assert left == [("Bo", "trouble")]
    asked = place.ask("select params from raw.lastfm__answers")
    assert asked and not [one for (one,) in asked if "calm" in one]
    landed = [each for part in place.parts() for each in read_part(place.root, part)]
    assert {each.params["user"] for each in landed} == {"Bo"}


# ---------------------------------------------------------------------- providers


def test_the_providers_are_the_folders_that_hold_one(tmp_path: Path) -> None:
    assert [each.name for each in providers()] == names() == ["lastfm", "listenbrainz"]
    assert all(isinstance(each, Provider) for each in providers())
    assert [each.is_own for each in providers()] == [False, True]
    for name in ("zune", "lastfm", "apple"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "provider.py").touch()
    (tmp_path / "load").mkdir()
    assert names(tmp_path) == ["lastfm", "apple", "zune"]


def test_a_walk_is_not_held_by_a_clock_that_was_wrong() -> None:
    at = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    listens = walking.Listens(b"", datetime(2026, 3, 1), (at + 10**8, at - 5), at - 5)
    now = walking.Walk("ana", "calm", TODAY)
    after = walking._after(now, listens)
    assert after.newest_uts == at - 5 and after.is_over
    assert after.full_on == TODAY
    # The control: a listen of a right clock is where the next walk ends.
    told = walking._after(now, replace(listens, times=(at + 60, at - 5)))
    assert told.newest_uts == at + 60


def test_an_account_is_refused_without_a_repeat(place: Place) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(401, json={"code": 401, "error": "Invalid token"})

    client = place.client(transport=answering(answer), token=TOKEN)
    with client, pytest.raises(AccountLeftOut, match="token is refused"):
        client.listens("calm", {})
    assert client.requests == 1
    for wrong in ("listens.example", "ftp://listens.example"):
        with pytest.raises(SettingsError, match="listenbrainz_url"):
            Client(wrong)
