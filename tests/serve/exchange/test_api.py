"""The exchange over HTTP, as a browser and a program see it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from flask import Flask
from flask.testing import FlaskClient

from exchange import leagues, player_request
from exchange.database import Database
from serve.api.exchange import Exchange, install
from tests.exchange.game import Game, artist
from tests.serve.conftest import bearer, csrf, log_in
from warehouse.errors import Damaged

ROOT = "/api/v1/exchange"


@pytest.fixture
def service(
    make_service: Callable[..., Flask], new_sqlite: Callable[[], str]
) -> Iterator[Flask]:
    """The service with an open market in it."""
    app = make_service()
    install(app)
    game = Game(Database(new_sqlite(), sync="OFF")).opened()
    app.extensions["exchange"] = Exchange(
        game.settings, lambda: game.database, game.clock
    )
    app.extensions["game"] = game
    yield app
    game.database.dispose()


@pytest.fixture
def game(service: Flask) -> Game:
    found: Game = service.extensions["game"]
    return found


class Player:
    """A program with a token."""

    def __init__(self, app: Flask, name: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.headers = bearer(app, name, "read", "trade")
        self.count = 0

    def get(self, path: str) -> Any:
        return self.client.get(f"{ROOT}{path}", headers=self.headers)

    def send(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Any:
        self.count += 1
        headers = {**self.headers, "Idempotency-Key": key or f"k{self.count}"}
        return self.client.open(
            f"{ROOT}{path}", method=method, json=body, headers=headers
        )


@pytest.fixture
def anna(service: Flask) -> Player:
    return Player(service, "anna")


def buy(player: Player, shares: int, key: str | None = None) -> Any:
    terms = {"artist_id": artist("Low"), "side": "buy", "shares": shares}
    quote = player.client.post(f"{ROOT}/quotes", json=terms, headers=player.headers)
    assert quote.status_code == 200, quote.text
    return player.send(
        "POST", "/trades", {**terms, "quote": quote.get_json()["data"]["quote"]}, key
    )


def test_the_first_visit_makes_an_account_a_player_with_20_000(anna: Player) -> None:
    body = anna.get("/portfolio").get_json()
    assert body["data"]["cash_units"] == 200_000_000
    assert body["data"]["player_name"].startswith("player-")
    assert body["data"]["has_chosen_name"] is False
    assert (body["version"], body["as_of"]) == ("20240301-000001", "2024-03-01")
    again = anna.get("/portfolio").get_json()
    assert again["data"]["player_id"] == body["data"]["player_id"]


def test_a_quote_and_a_trade_go_through_the_api(anna: Player) -> None:
    answer = buy(anna, 3)
    assert answer.status_code == 201
    mine = anna.get("/portfolio").get_json()["data"]
    assert [(h["artist_name"], h["shares"]) for h in mine["holdings"]] == [("Low", 3)]
    assert mine["cash_units"] == answer.get_json()["data"]["cash_units"]
    trades = anna.get("/history").get_json()["data"]["trades"]
    assert [one["shares"] for one in trades] == [3]


def test_a_repeated_key_is_answered_as_the_first_time(anna: Player, game: Game) -> None:
    terms = {"artist_id": artist("Low"), "side": "buy", "shares": 3}
    made = anna.client.post(f"{ROOT}/quotes", json=terms, headers=anna.headers)
    body = {**terms, "quote": made.get_json()["data"]["quote"]}
    first = anna.send("POST", "/trades", body, "one")
    again = anna.send("POST", "/trades", body, "one")
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    other = anna.send("POST", "/trades", {**body, "shares": 4}, "one")
    assert (other.status_code, other.get_json()["code"]) == (
        422,
        "idempotency_key_reused",
    )


def test_every_refusal_is_a_problem_document_with_a_reason_and_a_kind(
    anna: Player, game: Game
) -> None:
    terms = {"artist_id": artist("Low"), "side": "buy", "shares": 3}
    game.close()
    closed = anna.client.post(f"{ROOT}/quotes", json=terms, headers=anna.headers)
    assert closed.status_code == 409
    assert closed.mimetype == "application/problem+json"
    body = closed.get_json()
    assert (body["code"], body["kind"]) == ("market_closed", "transient")
    assert body["reopens_at"] == "2024-03-01T02:30:00.000000Z"
    game.open()
    poor = anna.client.post(
        f"{ROOT}/quotes", json={**terms, "shares": 1000}, headers=anna.headers
    )
    assert (poor.status_code, poor.get_json()["kind"]) == (422, "data")
    unknown = anna.get(f"/artists/{'0' * 32}")
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, "unknown_artist")


def test_a_write_without_a_key_or_a_token_or_the_scope_is_refused(
    service: Flask, anna: Player
) -> None:
    body = {"artist_id": artist("Low"), "side": "buy", "shares": 1}
    no_key = anna.client.post(f"{ROOT}/orders", json=body, headers=anna.headers)
    assert no_key.status_code == 422
    key = {"Idempotency-Key": "k"}
    nobody = anna.client.post(f"{ROOT}/orders", json=body, headers=key)
    assert nobody.status_code == 401
    reader = bearer(service, "anna", "read")
    scope = anna.client.post(f"{ROOT}/orders", json=body, headers={**reader, **key})
    assert (scope.status_code, scope.get_json()["code"]) == (403, "missing_scope")


def test_a_token_neither_resets_nor_leaves_nor_publishes(service: Flask) -> None:
    every = bearer(service, "anna", "read", "write", "trade")
    client = service.test_client()
    keyed = {**every, "Idempotency-Key": "one"}
    player = "/api/v1/exchange/player"
    for refused in (
        client.post(f"{player}/reset", headers=keyed),
        client.delete(player, headers=keyed),
        client.patch("/api/v1/account", json={"is_public": True}, headers=every),
        client.delete("/api/v1/account", headers=every),
    ):
        assert refused.status_code == 403, refused.text
        assert refused.get_json()["code"] == "forbidden"
    hidden = client.patch("/api/v1/account", json={"is_public": False}, headers=every)
    assert hidden.status_code == 200
    # The control: the person may, in a browser.
    browser = log_in(service, "anna")
    for method, path in (("POST", f"{player}/reset"), ("DELETE", player)):
        headers = {**csrf(browser), "Idempotency-Key": method}
        answer = browser.open(path, method=method, headers=headers)
        assert answer.status_code == 200, answer.text


def test_a_browser_needs_the_csrf_token_to_trade(service: Flask) -> None:
    browser = log_in(service, "anna")
    body = {"artist_id": artist("Low"), "side": "buy", "shares": 1}
    bare = browser.post(f"{ROOT}/orders", json=body, headers={"Idempotency-Key": "k"})
    assert bare.get_json()["code"] == "csrf_failed"
    good = browser.post(
        f"{ROOT}/orders", json=body, headers={"Idempotency-Key": "k", **csrf(browser)}
    )
    assert good.status_code == 201


def test_orders_are_placed_listed_and_cancelled(anna: Player) -> None:
    placed = anna.send(
        "POST",
        "/orders",
        {
            "artist_id": artist("Low"),
            "side": "buy",
            "shares": 2,
            "limit_units": 900_000,
        },
    ).get_json()["data"]
    listed = anna.get("/orders?state=queued").get_json()["data"]["orders"]
    assert [one["order_id"] for one in listed] == [placed["order_id"]]
    path = f"/orders/{placed['order_id']}"
    assert anna.send("DELETE", path).get_json()["data"]["state"] == "cancelled"
    assert anna.send("DELETE", path).get_json()["code"] == "order_not_queued"


def test_nobody_sees_or_cancels_what_is_anothers(service: Flask, anna: Player) -> None:
    berta = Player(service, "berta")
    order = anna.send(
        "POST", "/orders", {"artist_id": artist("Low"), "side": "buy", "shares": 2}
    ).get_json()["data"]
    assert berta.get("/orders").get_json()["data"]["orders"] == []
    assert berta.send("DELETE", f"/orders/{order['order_id']}").status_code == 404
    anna.send("PATCH", "/player", {"is_public": False})
    player_id = anna.get("/portfolio").get_json()["data"]["player_id"]
    assert berta.get(f"/players/{player_id}").status_code == 404
    assert anna.get(f"/players/{player_id}").status_code == 200


def test_boards_leagues_trophies_and_economy_after_a_close(
    service: Flask, anna: Player, game: Game
) -> None:
    berta = Player(service, "berta")
    berta.send("PATCH", "/player", {"player_name": "the second"})
    anna.send("PATCH", "/player", {"player_name": "the first"})
    buy(anna, 10)
    game.next_day()
    for board in ("day", "week", "month", "season", "lifetime", "worth"):
        rows = anna.get(f"/boards/{board}?league=mine").get_json()["data"]["rows"]
        assert [row["player_name"] for row in rows] == ["the second", "the first"], (
            board
        )
    near = anna.get("/boards/worth/near").get_json()["data"]
    assert (near["position"], near["rank"]) == (2, 2)
    code = anna.send("POST", "/friends-leagues", {"league_name": "us"}).get_json()
    joined = berta.send("POST", "/friends-leagues/join", {"code": code["data"]["code"]})
    league_id = joined.get_json()["data"]["league_id"]
    rows = berta.get(f"/boards/worth?friends_league={league_id}").get_json()["data"]
    assert rows["players"] == 2
    stranger = Player(service, "carla")
    assert stranger.get(f"/boards/worth?friends_league={league_id}").status_code == 404
    won = {one["trophy"] for one in anna.get("/trophies").get_json()["data"]}
    assert won == {"first_trade"}
    days = anna.get("/economy").get_json()["data"]
    assert [day["trades"] for day in days] == [0, 1]
    assert len(anna.get(f"/artists/{artist('Low')}/prices").get_json()["data"]) == 2


@pytest.mark.parametrize(
    "name", ["dearest", "most_traded", "popular", "risers", "fallers", "recent"]
)
def test_every_list_answers(anna: Player, game: Game, name: str) -> None:
    buy(anna, 10)
    shown = anna.get(f"/lists/{name}?limit=2").get_json()["data"]
    traded = {"most_traded", "recent", "risers"}
    first = [one["artist_name"] for one in shown["artists"]][:1]
    assert first == (["Low"] if name in traded else first)
    assert anna.get(f"/lists/{name}?tag=nothing").get_json()["data"]["artists"] == []


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("/lists/dearest", "artists"),
        (f"/artists/{artist('Low')}/prices", None),
        ("/economy", None),
        ("/boards/worth", "rows"),
        ("/boards/worth/near", "rows"),
        ("/portfolio", "holdings"),
        ("/history", "trades"),
        ("/worth", None),
        ("/dividends", "dividends"),
        ("/recommended", "artists"),
    ],
)
def test_a_table_has_the_same_rows_in_every_format(
    anna: Player, game: Game, path: str, rows: str | None
) -> None:
    buy(anna, 5)
    game.next_day()
    body = anna.get(path).get_json()
    records = body["data"][rows] if rows else body["data"]
    tail = {"version": body["version"], "as_of": body["as_of"]}
    lines = anna.get(f"{path}.ndjson").text.splitlines()
    assert [json.loads(line) for line in lines] == [{**row, **tail} for row in records]
    sheet = anna.get(f"{path}.csv")
    assert sheet.mimetype == "text/csv" and sheet.headers["Cache-Control"] == "no-store"
    read = list(csv.DictReader(io.StringIO(sheet.text, newline="")))
    assert [list(row) for row in read] == [[*row, *tail] for row in records]
    columns = pq.read_table(io.BytesIO(anna.get(f"{path}.parquet").data))
    assert columns.num_rows == len(records)
    if path not in ("/dividends", "/recommended"):
        assert records, "nothing was compared"


def test_what_is_no_table_is_json_only(anna: Player) -> None:
    for path in ("", f"/artists/{artist('Low')}", "/trophies"):
        answer = anna.get(f"{path}.csv")
        assert answer.status_code in (404, 406), answer.text


def test_recommended_artists_come_from_the_own_listening(anna: Player) -> None:
    assert anna.get("/recommended").status_code == 200


def test_a_deleted_account_leaves_the_game(service: Flask, game: Game) -> None:
    browser = log_in(service, "anna")
    browser.get(f"{ROOT}/portfolio")
    assert browser.delete("/api/v1/account", headers=csrf(browser)).status_code == 200
    from exchange import schema

    (player,) = game.rows(schema.players)
    assert player.left_at is not None
    assert player.player_name is None


def test_what_cannot_be_is_refused_and_does_not_fail(anna: Player) -> None:
    terms = {"artist_id": artist("Low"), "side": "buy", "shares": 100_000}
    dear = anna.client.post(f"{ROOT}/quotes", json=terms, headers=anna.headers)
    assert (dear.status_code, dear.get_json()["code"]) == (422, "insufficient_funds")
    for deep in ("[" * 100_000 + "]" * 100_000, '{"a":' * 50_000 + "1" + "}" * 50_000):
        nested = anna.client.post(
            f"{ROOT}/quotes",
            data=deep,
            content_type="application/json",
            headers=anna.headers,
        )
        assert (nested.status_code, nested.get_json()["code"]) == (400, "bad_request")


def test_a_page_of_another_origin_may_trade_with_a_token(anna: Player) -> None:
    asked = {
        "Origin": "https://front.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    said = anna.client.options(f"{ROOT}/trades", headers=asked).headers
    assert "POST" in said["Access-Control-Allow-Methods"]
    allowed = said["Access-Control-Allow-Headers"].lower()
    assert {"authorization", "content-type", "idempotency-key"} <= set(
        allowed.split(", ")
    )
    # With the cookie of a browser it may do nothing.
    assert "Access-Control-Allow-Credentials" not in said
    page = anna.client.options("/exchange/profile/settings", headers=asked).headers
    assert "Access-Control-Allow-Origin" not in page


def test_a_refusal_says_when_to_ask_again(anna: Player) -> None:
    anna.send("PATCH", "/player", {"player_name": "the first"})
    soon = anna.send("PATCH", "/player", {"player_name": "the second"})
    assert soon.status_code == 409 and int(soon.headers["Retry-After"]) >= 1


def test_leagues_and_stored_answers_have_a_quota(
    anna: Player, game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leagues, "MOST_FOUNDED", 2)
    body = {"league_name": "us"}
    for _ in range(2):
        assert anna.send("POST", "/friends-leagues", body).status_code == 201
    refused = anna.send("POST", "/friends-leagues", body)
    assert refused.status_code == 422
    assert refused.get_json()["code"] == "limit_reached"
    # What is stored of refused requests is counted as well, and kept no more.
    monkeypatch.setattr(player_request, "MOST_ANSWERS", 4)
    junk = {"artist_id": artist("Low"), "side": "buy", "shares": 1, "quote": "x"}
    assert anna.send("POST", "/trades", junk).status_code == 400
    answer = anna.send("POST", "/trades", junk)
    assert answer.status_code == 429
    assert answer.get_json()["code"] == "too_many_writes"
    assert int(answer.headers["Retry-After"]) > 0
    # The control: a trade that is done is not refused, and a day later all goes on.
    terms = {"artist_id": artist("Low"), "side": "buy", "shares": 1}
    quoted = anna.send("POST", "/quotes", terms).get_json()["data"]["quote"]
    assert anna.send("POST", "/trades", {**terms, "quote": quoted}).status_code == 201
    assert anna.send("POST", "/friends-leagues", body).status_code == 429
    game.wait(hours=25)
    assert anna.send("POST", "/friends-leagues", body).status_code == 422


def test_an_account_is_kept_where_the_exchange_is_lost(service: Flask) -> None:
    def lost() -> Database:
        raise Damaged("the exchange /home/ann/exchange.sqlite is missing")

    browser = log_in(service, "Anna")
    settings = service.extensions["exchange"].settings
    service.extensions["exchange"] = Exchange(settings, lost)
    answer = browser.delete("/api/v1/account", headers=csrf(browser))
    market = browser.get(ROOT)
    assert (answer.status_code, market.status_code) == (503, 503)
    assert "was not deleted" in answer.get_json()["detail"]
    assert "/home" not in market.text
    assert browser.get("/api/v1/account").status_code == 200
