"""One's own rules: what they leave is what plain Python leaves, and nobody else's.

The same library is published twice: as it was told, where Zoe has rules, and as those
rules make it, play by play, where she has none. Every answer has to be the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from serve.accounts import rules as stored_rules
from serve.api.listening import ROWS
from serve.app import create_app
from serve.own_rules import KINDS, NoRule, Rule, read, written
from serve.queries.listening import Listening
from serve.queries.own_rules import NO_RULES, prepared
from serve.ranges import of_word
from serve.zones import Zone
from tests.serve.conftest import bearer, close, csrf, log_in, make_settings, shared
from tests.serve.marts import World, key, publish, version_path, write_duckdb
from tests.serve.marts import write_postgres as write_into_postgres
from tests.serve.test_listening import AS_OF, Play, make_library

OSLO = "Europe/Oslo"
RULES: tuple[dict[str, Any], ...] = (
    {"kind": "exclude_artist", "artist": "ARTIST 0"},
    {"kind": "exclude_hours", "first_hour": 23, "last_hour": 7},
    {"kind": "artist_is", "artist": "Artist 1", "becomes": ["Artist 2"]},
    {"kind": "artist_is", "artist": "Artist 3", "becomes": ["The Three"]},
    {"kind": "artist_is", "artist": "Clock", "becomes": ["CLOCK"]},
    {"kind": "track_is", "artist": "Artist 4", "title": "song 0",
     "becomes": ["Song 1"]},
    {"kind": "track_is", "artist": "Artist 5", "title": "Song 0",
     "becomes": ["Overture"]},
    {"kind": "album_is", "artist": "Artist 6", "title": "All of Artist 6",
     "becomes": ["Debut"]},
    {"kind": "exclude_album", "artist": "Artist 7", "title": "All of Artist 7"},
    {"kind": "exclude_track", "artist": "Artist 8", "title": "Song 2"},
    {"kind": "exclude_track", "artist": "Artist 2", "title": "Song 1"},
)  # fmt: skip
#: What each rule alone is about, counted from the plays.
ABOUT = {
    "exclude_artist": lambda play: play["name"] == "Artist 0",
    "exclude_hours": lambda play: not 7 <= hour(play) < 23,
    "exclude_album": lambda play: play["name"] == "Artist 7" and play["song"] < 2,
    "exclude_track": lambda play: play["name"] == "Artist 8" and play["song"] == 2,
    "exclude_tag": lambda play: len(play["name"]) % 3 == 0,
    "artist_is": lambda play: play["name"] == "Artist 1",
    "album_is": lambda play: play["name"] == "Artist 6" and play["song"] < 2,
    "track_is": lambda play: play["name"] == "Artist 4" and play["song"] == 0,
}
TAG = {"kind": "exclude_tag", "tag": "Tag 0"}


def hour(play: Play) -> int:
    local = play["scrobbled_at"].replace(tzinfo=UTC).astimezone(ZoneInfo(OSLO))
    return local.hour


def ruled(play: Play) -> Play | None:
    """The play as the rules make it, in plain Python; None where it is left out."""
    name, song = play["name"], play["song"]
    if name == "Artist 0" or not 7 <= hour(play) < 23:
        return None
    if (name == "Artist 7" and song < 2) or (name == "Artist 8" and song == 2):
        return None
    if name in ("Artist 1", "Artist 2"):
        if song == 1:
            return None
        # Their songs are called alike and are one; their albums are not.
        name = "Artist 2"
        play = {**play, "name": name, "track_id": key(f"Artist 2 song {song}")}
    if name == "Artist 3":
        play = {**play, "name": "The Three"}
    if name == "Artist 4" and song == 0:
        play = {**play, "song": 1, "track_id": key("Artist 4 song 1")}
    if name == "Artist 5" and song == 0:
        play = {**play, "track_id": key("artist 5\x1foverture")}
    if name == "Artist 6" and song < 2:
        play = {**play, "album_id": key("artist 6\x1fdebut")}
    return {**play, "artist_id": key(play["name"])}


def expected_library() -> World:
    """The library as the rules make it, with the names they say."""
    world = make_library(ruled)
    three = {"artist_id": key("The Three"), "artist_name": "The Three"}
    world["dim_artists"].append({**three, "name_key": "the three"})
    world["dim_tracks"].append(
        {
            "artist_id": key("Artist 5"),
            "artist_name": "Artist 5",
            "track_id": key("artist 5\x1foverture"),
            "track_name": "Overture",
            "name_key": "overture",
        }
    )
    world["dim_albums"].append(
        {
            "artist_id": key("Artist 6"),
            "artist_name": "Artist 6",
            "album_id": key("artist 6\x1fdebut"),
            "album_name": "Debut",
            "name_key": "debut",
        }
    )
    for table in ("dim_artists", "dim_tracks", "dim_albums"):
        for row in world[table]:
            if row["artist_name"] == "Artist 3":
                row |= three if table != "dim_artists" else {}
            if row["artist_name"] == "Artist 1" and table == "dim_albums":
                row |= {"artist_id": key("Artist 2"), "artist_name": "Artist 2"}
            if row["artist_name"] == "Clock":
                row["artist_name"] = "CLOCK"
    return world


def served(world: World, folder: Path) -> Flask:
    write_duckdb(world, version_path(folder, "20260314-000001"))
    publish(folder, "20260314-000001", AS_OF)
    return create_app(make_settings(folder))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Zoe's browser where the library itself is as the rules make it."""
    app = served(expected_library(), tmp_path_factory.mktemp("expected"))
    yield log_in(app, "Zoe")
    close(app)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The library as it was told, behind both engines."""
    if request.param == "duckdb":
        app = served(make_library(), tmp_path_factory.mktemp("told"))
        yield app
        close(app)
        return
    server = request.getfixturevalue("postgres_server")
    url = server.new_database()
    write_into_postgres(make_library(), url)
    folder = tmp_path_factory.mktemp("told-postgres")
    app = create_app(make_settings(folder, warehouse={"warehouse_url": url}), parts=())
    yield app
    close(app)
    server.drop_database(url)


class Zoe:
    """Zoe's browser, who has no rules when a test begins."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.browser = log_in(app, "Zoe")
        self.headers = csrf(self.browser)
        for rule in self.rules():
            self.send("DELETE", f"/{rule['rule_id']}")
        self.send("PATCH", "", {"time_zone": OSLO}, root="/api/v1/account")

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        expect: int = 200,
        root: str = "/api/v1/account/rules",
    ) -> Any:
        answer = self.browser.open(
            f"{root}{path}", method=method, json=body, headers=self.headers
        )
        assert answer.status_code == expect, answer.text
        return answer.get_json().get("data")

    def rules(self) -> list[dict[str, Any]]:
        return list(self.send("GET", ""))

    def add(self, *rules: dict[str, Any]) -> None:
        for rule in rules:
            self.send("POST", "", rule, 201)


@pytest.fixture
def zoe(told: Flask) -> Zoe:
    return Zoe(told)


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every question about one's own listening, in windows that a mart has or not."""
    for window, tz in (
        ({}, OSLO),
        ({"range": "year"}, "Asia/Kolkata"),
        ({"from": "2025-03-29", "to": "2025-10-31"}, OSLO),
    ):
        query = {**window, "tz": tz, "limit": 1000}
        for entity in ("artists", "albums", "tracks", "tags"):
            yield f"top/{entity}", query
        yield "plays", query
        yield "plays", {**query, "q": "three"}
        yield "plays", {**query, "q": "overture"}
        yield "plays", {**query, "q": "Artist 1"}
        rest = {name: value for name, value in query.items() if name != "limit"}
        yield "totals", rest
        for statistic in ROWS:
            yield f"statistics/{statistic}", rest
        for entity, name in (
            ("artists", "Artist 2"),
            ("artists", "The Three"),
            ("albums", "artist 6\x1fdebut"),
            ("tracks", "artist 5\x1foverture"),
            ("tracks", "Artist 2 song 0"),
        ):
            yield f"{entity}/{key(name)}/periods", rest
            yield f"{entity}/{key(name)}/plays", query


def answer_of(browser: FlaskClient, path: str, query: dict[str, Any]) -> Any:
    answer = browser.get(f"/api/v1/listeners/zoe/{path}", query_string=query)
    assert answer.status_code == 200, (path, answer.text)
    return answer.get_json()["data"]


def near(value: Any) -> Any:
    """The same with numbers of the last bit; the marts' rows are no rule's business."""
    if isinstance(value, float):
        return pytest.approx(value)
    if isinstance(value, dict):
        return {name: near(of) for name, of in value.items()}
    return [near(one) for one in value] if isinstance(value, list) else value


def test_every_answer_is_that_of_the_plays_the_rules_leave(
    zoe: Zoe, expected: FlaskClient
) -> None:
    zoe.add(*RULES)
    differ = 0
    unruled = {
        path: answer_of(zoe.browser, path, query)
        for path, query in asked()
        if query.get("tz") == OSLO and path.startswith("top/")
    }
    for path, query in asked():
        wanted = answer_of(expected, path, query)
        assert answer_of(zoe.browser, path, query) == near(wanted), (path, query)
    # The control: without the rules the answers are others, and as they were before.
    for rule in zoe.rules():
        zoe.send("DELETE", f"/{rule['rule_id']}")
    for path, query in asked():
        if query.get("tz") == OSLO and path.startswith("top/"):
            differ += answer_of(zoe.browser, path, query) != unruled[path]
    assert differ > 4


def test_a_split_play_is_the_firsts_and_in_the_lists_of_all(zoe: Zoe) -> None:
    plays = make_library()["fct_scrobbles"]
    counts = Counter(play["name"] for play in plays)
    split = {"kind": "artist_is", "artist": "Artist 1"}
    zoe.add({**split, "becomes": ["Artist 2", "Artist 3", "Someone"]})
    top = {
        row["artist_name"]: row["scrobbles"]
        for row in answer_of(zoe.browser, "top/artists", {"limit": 1000})
    }
    more = counts["Artist 1"]
    assert "Artist 1" not in top
    assert top["Artist 2"] == counts["Artist 2"] + more
    assert top["Artist 3"] == counts["Artist 3"] + more
    assert top["Someone"] == more
    totals = answer_of(zoe.browser, "totals", {})
    assert totals["scrobbles"] == len(plays)  # each play once
    assert totals["artists"] == len(top) == len(counts)
    for name, scrobbles in (("Artist 3", top["Artist 3"]), ("Someone", more)):
        rows = answer_of(zoe.browser, f"artists/{key(name)}/plays", {"limit": 5000})
        assert len(rows) == scrobbles


@pytest.mark.parametrize("rule", [*RULES[:3], TAG, *RULES[5:6], *RULES[7:10]],
                         ids=lambda rule: str(rule["kind"]))  # fmt: skip
def test_a_preview_counts_the_plays_and_keeps_nothing(
    zoe: Zoe, rule: dict[str, Any]
) -> None:
    plays = make_library()["fct_scrobbles"]
    found = zoe.send("POST", "/preview", rule)
    about = sum(map(ABOUT[rule["kind"]], plays))
    assert found == {"plays": about, "all_plays": len(plays)} and about > 0
    assert zoe.rules() == []
    # What an exclusion is about is what is gone with it.
    if rule["kind"].startswith("exclude"):
        zoe.add(rule)
        left = answer_of(zoe.browser, "totals", {})["scrobbles"]
        assert left == len(plays) - about


def test_rules_that_lead_in_a_circle_end(zoe: Zoe) -> None:
    names = ["Artist 1", "Artist 2", "Artist 4"]
    for name, to in zip(names, [*names[1:], names[0]], strict=True):
        zoe.add({"kind": "artist_is", "artist": name, "becomes": [to]})
    total = answer_of(zoe.browser, "totals", {})["scrobbles"]
    assert total == len(make_library()["fct_scrobbles"])


# ---------------------------------------------------------------- nobody else's


def test_nobody_else_sees_a_rule_or_what_it_does(told: Flask, zoe: Zoe) -> None:
    visitor = told.test_client()
    other = log_in(told, "Bert")
    with told.app_context():
        pass
    body = {"is_public": True}
    done = zoe.send("PATCH", "", body, root="/api/v1/account")
    assert done["is_public"]
    questions = [(path, query) for path, query in asked() if "range" in query][:20]
    before = [answer_of(other, path, query) for path, query in questions]
    zoe.add(*(rule for rule in RULES if "The Three" not in str(rule)))
    token = bearer(told, "Bert", "read", "write")
    for (path, query), was in zip(questions, before, strict=True):
        for client, headers in ((visitor, {}), (other, {}), (visitor, token)):
            answer = client.get(
                f"/api/v1/listeners/zoe/{path}", query_string=query, headers=headers
            )
            assert answer.get_json()["data"] == was, path
            assert "no-store" in answer.headers["Cache-Control"]
    # The control: Zoe herself reads other answers, in her browser and by her token.
    path, query = questions[0]
    own = zoe.browser.get(f"/api/v1/listeners/zoe/{path}", query_string=query)
    assert own.get_json()["data"] != before[0]
    headers = bearer(told, "Zoe", "read")
    by_token = visitor.get(
        f"/api/v1/listeners/zoe/{path}", query_string=query, headers=headers
    )
    assert by_token.get_json()["data"] == own.get_json()["data"]
    rule_id = zoe.rules()[0]["rule_id"]
    assert visitor.get("/api/v1/account/rules").status_code == 401
    assert other.get("/api/v1/account/rules").get_json()["data"] == []
    answer = other.delete(f"/api/v1/account/rules/{rule_id}", headers=csrf(other))
    assert answer.status_code == 404
    zoe.send("PATCH", "", {"is_public": False}, root="/api/v1/account")


def test_a_shared_report_shows_the_plays_as_they_were_told(
    tmp_path: Path,
) -> None:
    app = served(make_library(), tmp_path)
    zoe = Zoe(app)
    page = zoe.browser.get("/listeners/zoe/reports/2025").text
    link = page.partition('href="/shared/')[2].partition('"')[0]
    visitor = app.test_client()
    told = visitor.get(f"/shared/{link}").text
    assert "Artist 0" in told
    zoe.add(RULES[0])
    page = zoe.browser.get("/listeners/zoe/reports/2025").text
    assert "Artist 0" not in page and "without <a" in page
    assert visitor.get(f"/shared/{link}").text == told
    close(app)


def test_who_has_no_rules_pays_nothing(told: Flask, zoe: Zoe) -> None:
    with shared(told).store.read() as reader:
        listening = Listening("zoe", of_word("all_time", AS_OF), AS_OF, Zone())
        assert listening.rules is NO_RULES is prepared(reader, (), Zone())
        assert "from marts.fct_scrobbles as own" in " ".join(listening.sql.split())
        assert "told_artist_id" not in listening.sql
        assert listening.artists_mart == "marts.listener_artists"
        assert listening.days_mart == "marts.fct_listener_days"
        made = prepared(reader, (Rule("exclude_artist", artist="Low"),), Zone())
        with_rules = Listening(
            "zoe", of_word("all_time", AS_OF), AS_OF, Zone(), rules=made
        )
        assert with_rules.sql != listening.sql
        # Prepared once for a version.
        assert prepared(reader, (Rule("exclude_artist", artist="Low"),), Zone()) is made
    # Nor is the accounts' database asked once more: rules come with the account.
    statements: list[str] = []
    engine = shared(told).accounts

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    answer_of(zoe.browser, "totals", {})
    unruled = len(statements)
    event.remove(engine, "before_cursor_execute", note)
    zoe.add(RULES[0])
    statements.clear()
    event.listen(engine, "before_cursor_execute", note)
    answer_of(zoe.browser, "totals", {})
    event.remove(engine, "before_cursor_execute", note)
    assert len(statements) == unruled


# ------------------------------------------------------------- kept and taken back


def test_rules_are_in_the_export_and_go_with_the_account(tmp_path: Path) -> None:
    app = served(make_library(), tmp_path)
    zoe = Zoe(app)
    zoe.add(*RULES[:2])
    document = zoe.browser.get("/api/v1/account/export").get_json()["data"]
    (row,) = document["account"]["accounts"]
    assert [rule["kind"] for rule in json.loads(row["rules"]).values()] == [
        "exclude_artist",
        "exclude_hours",
    ]
    engine = shared(app).accounts
    zoe.send("DELETE", "", root="/api/v1/account")
    with engine.begin() as connection:
        found = connection.exec_driver_sql("select count(*) from accounts").scalar()
    assert found == 0
    assert Zoe(app).rules() == []
    close(app)


def test_equal_rules_are_one_and_there_is_an_end(zoe: Zoe) -> None:
    zoe.add(RULES[0], RULES[0])
    assert len(zoe.rules()) == 1
    engine = shared(zoe.app).accounts
    account = zoe.browser.get("/api/v1/account").get_json()["data"]["account_id"]
    for number in range(stored_rules.MOST_RULES - 1):
        rule = Rule("exclude_artist", artist=f"No {number}")
        stored_rules.add(engine, account, rule)
    zoe.send("POST", "", {"kind": "exclude_artist", "artist": "One more"}, 409)
    # As many as there may be are still one question.
    assert answer_of(zoe.browser, "totals", {})["scrobbles"] > 0


def test_the_page_shows_previews_keeps_and_removes(tmp_path: Path) -> None:
    app = served(make_library(), tmp_path)
    zoe = Zoe(app)
    token = {"csrf_token": zoe.headers["X-CSRF-Token"]}
    form = {**token, "kind": "exclude_artist", "artist": "<b>Artist 0"}
    page = zoe.browser.post("/me/rules", data={**form, "do": "look"}).text
    assert "0 plays" in page and "&lt;b&gt;Artist 0" in page and "<b>A" not in page
    form["artist"] = "Artist 0"
    page = zoe.browser.post("/me/rules", data={**form, "do": "look"}).text
    about = sum(map(ABOUT["exclude_artist"], make_library()["fct_scrobbles"]))
    assert f"{about} plays" in page and zoe.rules() == []
    done = zoe.browser.post("/me/rules", data={**form, "do": "keep"})
    assert done.status_code == 303
    (rule,) = zoe.rules()
    assert rule["in_words"] == "Leave out the artist Artist 0"
    split = {**token, "kind": "artist_is", "artist": "A, B feat. C", "do": "keep"}
    zoe.browser.post("/me/rules", data={**split, "becomes": "A\r\nB\r\n\r\nC\r\n"})
    assert zoe.rules()[1]["becomes"] == ["A", "B", "C"]
    page = zoe.browser.get("/me/rules").text
    assert "Leave out the artist Artist 0" in page and "A and B and C" in page
    path = f"/me/rules/{rule['rule_id']}/remove"
    assert zoe.browser.post(path, data=token).status_code == 303
    assert len(zoe.rules()) == 1
    assert zoe.browser.post(path, data=token).status_code == 404
    forged = zoe.browser.post("/me/rules", data=form | {"csrf_token": ""})
    assert forged.status_code in (401, 403)
    for wrong in ({"kind": "nonsense"}, {"kind": "exclude_hours"}, {"artist": " "}):
        answer = zoe.browser.post("/me/rules", data={**form, "do": "keep", **wrong})
        assert answer.status_code == 400, wrong
    close(app)


@pytest.mark.parametrize(
    ("artist", "becomes", "code", "subject"),
    [
        # Of the fixture's world: Artist Zero is an alias of Artist 00.
        ("artist 02", "  ARTIST   03 ", 202, "artist 02\nArtist 03"),
        ("Artist Zero", "artist zero", 202, "Artist Zero\nArtist Zero"),
        ("Artist Zero", "Artist 03", 202, "Artist Zero\nArtist 03"),
        ("Artist Zero", "Artist 00", 409, "one artist already"),
        ("Artist 00", "Artist Zero", 409, "one artist already"),
        ("Artist 02", "Artist 02", 409, "of its own already"),
        ("Nobody", "Artist 02", 404, "no artist is called Nobody"),
        ("Artist 02", "Nobody", 404, "no artist is called Nobody"),
        ("Artist 02", " ", 404, "called nothing"),
    ],
)
def test_an_administrator_decides_what_a_name_is_for_everybody(
    service: Flask, artist: str, becomes: str, code: int, subject: str
) -> None:
    path = "/api/v1/account/corrections"
    body = {"artist": artist, "becomes": becomes}
    anna = log_in(service, "anna")
    answer = anna.post(path, json=body, headers=csrf(anna))
    assert answer.status_code == code, answer.text
    if code == 202:
        assert answer.get_json()["data"]["subject"] == subject
        assert answer.get_json()["data"]["kind"] == "correct_artist"
        again = anna.post(path, json=body, headers=csrf(anna))
        assert again.status_code == 200
    else:
        assert subject in answer.get_json()["detail"]


def test_nobody_but_an_administrator_decides_for_everybody(tmp_path: Path) -> None:
    app = served(make_library(), tmp_path)
    path = "/api/v1/account/corrections"
    body = {"artist": "Artist 2", "becomes": "Artist 3"}
    bert, anna = log_in(app, "bert"), log_in(app, "anna")
    refused = bert.post(path, json=body, headers=csrf(bert))
    assert (refused.status_code, refused.get_json()["scope"]) == (403, "admin")
    writer = bearer(app, "anna", "read", "write")
    assert app.test_client().post(path, json=body, headers=writer).status_code == 403
    assert app.test_client().post(path, json=body).status_code == 401
    form = {**body, "csrf_token": csrf(bert)["X-CSRF-Token"]}
    assert bert.post("/me/corrections", data=form).status_code == 403
    assert "For everybody" not in bert.get("/me/rules").text
    assert bert.get("/api/v1/jobs").get_json()["data"] == []
    # The control: the administrator's page has the form, and the rule's own button.
    rule = {"kind": "artist_is", "artist": "Artist 2", "becomes": ["Artist 3"]}
    anna.post("/api/v1/account/rules", json=rule, headers=csrf(anna))
    page = anna.get("/me/rules").text
    assert "Decide for everybody" in page and 'value="Artist 2"' in page
    form["csrf_token"] = csrf(anna)["X-CSRF-Token"]
    assert anna.post("/me/corrections", data=form).status_code == 303
    (job,) = anna.get("/api/v1/jobs").get_json()["data"]
    assert job["subject"] == "Artist 2\nArtist 3"
    assert "Correction of <bdi>Artist 2 → Artist 3</bdi>" in anna.get("/me").text
    close(app)


@pytest.mark.parametrize(
    "wrong",
    [
        Rule("exclude_artist"),
        Rule("exclude_album", artist="A"),
        Rule("exclude_tag", tag="\t "),
        Rule("exclude_hours", first_hour=5, last_hour=5),
        Rule("exclude_hours", first_hour=0, last_hour=24),
        Rule("exclude_hours", first_hour=24, last_hour=5),
        Rule("artist_is", artist="A"),
        Rule("artist_is", artist="A", becomes=("A",)),
        Rule("artist_is", artist="A", becomes=tuple("BCDEFGH")),
        Rule("track_is", artist="A", title="X", becomes=("Y", "Z")),
    ],
)
def test_what_says_nothing_is_no_rule(wrong: Rule) -> None:
    with pytest.raises(NoRule):
        wrong.checked()


def test_a_rule_is_read_as_it_was_written() -> None:
    of_plays = {rule["kind"] for rule in (*RULES, TAG)}
    # The others change no list: tests/serve/test_recommendations.py has them.
    assert of_plays == {kind for kind in KINDS if not kind.startswith("recommend")}
    kept = {
        f"{number:016x}": Rule(
            **{**rule, "becomes": tuple(rule.get("becomes", ()))}
        ).checked()
        for number, rule in enumerate((*RULES, TAG))
    }
    assert read(written(kept)) == kept
    assert written({}) is None and read(None) == {}
    assert Rule("exclude_hours", artist="x", first_hour=1, last_hour=2).checked() == (
        Rule("exclude_hours", first_hour=1, last_hour=2)
    )
