"""Everything goes wrong as asked, for whom it was asked, as often as it was asked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from local_lastfm import Fault, LocalLastfm, faults

CODES = [(code, status) for code, (all_, _) in faults.ERRORS.items() for status in all_]


@pytest.fixture
def caller(trouble: LocalLastfm, new_caller: Any) -> Iterator[Any]:
    found = new_caller(trouble)
    with found.client:
        yield found


@pytest.mark.parametrize(("code", "status"), CODES)
def test_every_error_code_comes_with_each_of_its_statuses(
    code: int, status: int, trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("error", code=code, status=status, count=2)])
    answer = caller.get("chart.getTopArtists")
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    root = caller.xml("chart.getTopArtists")
    assert root.find(f"error[@code='{code}']") is not None
    assert "artists" in caller.json("chart.getTopArtists")
    assert trouble.requests.errors == {code: 2}


def test_an_error_body_can_stand_in_a_good_answer(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("error", code=16, status=200, count=1)])
    answer = caller.get("user.getInfo", user="calm")
    assert answer.status_code == 200 and answer.json()["error"] == 16


@pytest.mark.parametrize("status", [200, 502, 503])
def test_an_outage_is_a_page_of_html(
    status: int, trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("html", status=status, count=1)])
    answer = caller.get("user.getInfo", user="calm")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_truncated_body_is_whole_for_http_and_broken_as_json(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("truncated", count=1)])
    answer = caller.get("user.getRecentTracks", user="calm")
    assert int(answer.headers["content-length"]) == len(answer.content)
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert caller.json("user.getRecentTracks", user="calm")


@pytest.mark.parametrize("sockets", [True, False])
def test_cut_and_reset_connections_are_transport_errors(
    sockets: bool, trouble: LocalLastfm, new_caller: Any
) -> None:
    caller = new_caller(trouble, sockets=sockets)
    with caller.client:
        trouble.set_faults([Fault("cut", count=1)])
        with pytest.raises(httpx2.RemoteProtocolError):
            caller.get("user.getInfo", user="calm")
        trouble.set_faults([Fault("reset", count=1)])
        with pytest.raises(httpx2.TransportError):
            caller.get("user.getInfo", user="calm")
        assert caller.json("user.getInfo", user="calm")


def test_a_slow_drip_takes_its_time_and_arrives_whole(
    trouble: LocalLastfm, caller: Any
) -> None:
    whole = caller.get("user.getInfo", user="calm").content
    trouble.set_faults([Fault("drip", seconds=0.4, count=1)])
    start = time.perf_counter()
    assert caller.get("user.getInfo", user="calm").content == whole
    assert time.perf_counter() - start >= 0.38


@pytest.mark.parametrize("sockets", [True, False])
def test_latency_outlasts_a_client_s_patience(
    sockets: bool, trouble: LocalLastfm, new_caller: Any
) -> None:
    caller = new_caller(trouble, sockets=sockets)
    with caller.client:
        caller.client.timeout = httpx2.Timeout(0.2)
        trouble.set_faults([Fault("latency", seconds=1.5, count=1)])
        with pytest.raises(httpx2.ReadTimeout):
            caller.get("user.getInfo", user="calm")
        assert caller.json("user.getInfo", user="calm")


def test_every_answer_can_be_late_without_holding_up_the_others(
    new_caller: Any, today: Any
) -> None:
    import threading

    with LocalLastfm("trouble", today=today, latency_ms=200) as lastfm:
        caller = new_caller(lastfm)
        with caller.client:
            start = time.perf_counter()
            threads = [
                threading.Thread(target=caller.get, args=("chart.getTopArtists",))
                for _ in range(10)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert 0.2 <= time.perf_counter() - start < 1.6
    assert len(lastfm.requests) == 10


def test_only_matching_calls_are_hit(trouble: LocalLastfm, caller: Any) -> None:
    trouble.set_faults([Fault("error", method="user.*", params={"user": "cal*"})])
    assert caller.error("user.getInfo", user="calm") == (500, 8)
    assert caller.json("user.getInfo", user="trouble")
    assert caller.json("chart.getTopArtists")


def test_the_next_three_calls_after_two_are_hit(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("error", code=29, after=2, count=3)])
    statuses = [caller.get("chart.getTopTags").status_code for _ in range(8)]
    assert statuses == [200, 200, 429, 429, 429, 200, 200, 200]


def test_chance_is_seeded(trouble: LocalLastfm, caller: Any) -> None:
    def draw() -> list[int]:
        trouble.set_faults([Fault("error", probability=0.3)])
        return [caller.get("chart.getTopTags").status_code for _ in range(60)]

    first = draw()
    assert first == draw()
    assert 6 <= first.count(500) <= 32


def test_the_wrong_user_s_rows_come_under_the_wrong_user_s_name(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("wrong_user", count=1)])
    wrong = caller.json("user.getRecentTracks", user="calm")["recenttracks"]
    assert wrong["@attr"]["user"] == "Trouble"
    right = caller.json("user.getRecentTracks", user="calm")["recenttracks"]
    assert right["@attr"]["user"] == "calm"


def test_a_playing_row_can_be_forced_on_every_page(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("now_playing")])
    for page in (1, 3):
        root = caller.json("user.getRecentTracks", user="calm", page=page)
        rows = root["recenttracks"]["track"]
        assert len(rows) == 51 and "date" not in rows[0]


def test_counters_stall_and_step_back_when_asked(
    trouble: LocalLastfm, caller: Any, today: Any
) -> None:
    def plays() -> int:
        info = caller.json("artist.getInfo", today, artist="Дублет")
        return int(info["artist"]["stats"]["playcount"])

    honest = plays()
    yesterday = caller.json(
        "artist.getInfo", today - timedelta(days=1), artist="Дублет"
    )
    trouble.set_faults([Fault("stall", days=1, count=1)])
    assert plays() < honest
    trouble.set_faults([Fault("step_back", fraction=0.5, count=1)])
    assert plays() == honest // 2
    assert plays() == honest
    assert int(yesterday["artist"]["stats"]["playcount"]) < honest


def test_a_name_can_carry_a_character_that_databases_refuse(
    trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults([Fault("control_character", count=1)])
    rows = caller.json("user.getRecentTracks", user="calm")["recenttracks"]["track"]
    assert rows[0]["name"].startswith("\x00") and "\x00" not in rows[1]["name"]


@pytest.mark.parametrize(("kind", "change"), [("arrive_late", 1), ("delete", -1)])
def test_pages_drift_while_they_are_read(
    kind: str, change: int, trouble: LocalLastfm, caller: Any
) -> None:
    before = len(trouble.truth("calm"))
    trouble.set_faults([Fault(kind, method="user.getRecentTracks", count=2)])
    totals = [
        caller.json("user.getRecentTracks", user="calm", page=page, limit=100)[
            "recenttracks"
        ]["@attr"]["total"]
        for page in (1, 2, 3, 4)
    ]
    assert [int(t) for t in totals] == [
        before,
        before + change,
        before + 2 * change,
        before + 2 * change,
    ]
    assert len(trouble.truth("calm")) == before + 2 * change


def test_a_deletion_between_pages_makes_a_forward_walk_lose_a_row(
    trouble: LocalLastfm, caller: Any
) -> None:
    """The control: drift is real, a careless client gets it wrong."""
    trouble.set_faults([Fault("delete", method="user.getRecentTracks", rows=40)])
    careless = {int(r["date"]["uts"]) for r in caller.scrobbles("calm", limit=50)}
    truth = {s.uts for s in trouble.truth("calm")}
    assert not truth <= careless


def test_histories_can_be_dirtied(trouble: LocalLastfm, caller: Any) -> None:
    before = trouble.truth("calm")
    trouble.set_faults(
        [
            Fault("uts_zero", rows=3),
            Fault("same_second", rows=2),
            Fault("edit_album", rows=4),
        ]
    )
    rows = caller.scrobbles("calm", limit=1000)
    zeros = [row for row in rows if row["date"]["uts"] == "0"]
    assert len(zeros) == 3 and rows[-3:] == zeros
    assert zeros[0]["date"]["#text"] == "01 Jan 1970, 00:00"
    truth = trouble.truth("calm")
    assert len(truth) == len(before) + 2
    assert len({s.uts for s in truth}) == len(before)
    edited = [s for s in truth if s.album_name.endswith("(Remastered)")]
    assert 1 <= len(edited) <= 4
    got = [(int(r["date"]["uts"]), r["name"], r["album"]["#text"]) for r in rows[:-3]]
    assert sorted(got) == sorted((s.uts, s.track_name, s.album_name) for s in truth)


def test_faults_can_be_switched_over_http(trouble: LocalLastfm, caller: Any) -> None:
    control = f"{trouble.base_url}faults"
    rules = [{"kind": "error", "code": 11, "method": "chart.*", "count": 5}]
    told = caller.client.post(control, json=rules).json()
    assert told[0]["code"] == 11 and told[0]["count"] == 5
    assert caller.error("chart.getTopTags") == (503, 11)
    left = caller.client.get(control).json()
    assert left[0]["count"] == 4 and left[0]["hits"] == 1
    assert caller.client.delete(control).json() == []
    assert caller.json("chart.getTopTags")
    counted = caller.client.get(f"{trouble.base_url}requests.json").json()
    assert counted["errors"] == {"11": 1} and counted["total"] == 2


@pytest.mark.parametrize(
    "rules",
    [[{"kind": "meteor"}], [{"kind": "error", "code": 99}], [{"colour": 1}], "x", [7]],
)
def test_rules_that_make_no_sense_are_refused(
    rules: object, trouble: LocalLastfm, caller: Any
) -> None:
    answer = caller.client.post(f"{trouble.base_url}faults", json=rules)
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize("name", sorted(faults.PRESETS))
def test_every_preset_can_be_loaded_by_name(
    name: str, trouble: LocalLastfm, caller: Any
) -> None:
    trouble.set_faults(name)
    assert bool(trouble.service.faults) == (name != "none")
    for page in range(1, 12):
        try:
            caller.get("user.getRecentTracks", user="trouble", page=page)
        except httpx2.TransportError:
            assert name == "flaky"


def test_faults_never_reach_the_answers_kept_for_others(
    trouble: LocalLastfm, caller: Any
) -> None:
    clean = caller.get("chart.getTopArtists").content
    trouble.set_faults([Fault("step_back", fraction=0.5), Fault("truncated", after=1)])
    assert caller.get("chart.getTopArtists").content != clean
    caller.get("chart.getTopArtists")
    trouble.clear_faults()
    assert caller.get("chart.getTopArtists").content == clean
