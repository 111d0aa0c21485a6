"""Example answers for the description of the API, asked of a published demo world.

``python -m serve.examples`` (``make examples``) asks every operation once, in a copy of
what is written to, and keeps the answers, cut short, in ``serve/api/examples.json``.
Nothing in it is typed by hand; a test holds each to the schema of its operation.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from flask.testing import FlaskClient

from serve.accounts import store as accounts
from serve.accounts.current import COOKIE, signer
from serve.api.description import EXAMPLES
from serve.app import create_app
from serve.context import services
from serve.settings import load_serve_settings
from warehouse.settings import load_settings

ROWS = 2
# A word so long is a secret, of no use here.
SECRET = re.compile(r"[\w.=-]{41,}")
PREFIX = "/api/v1"
# Listeners of the demo world who play a lot.
NAMES = ("zenbelzar", "talsol")
# What is asked before all else, for the keys it answers with.
LEARNT: dict[str, tuple[str, ...]] = {
    "tags_list_tags": ("tag_id",),
    "artists_artist_tracks": ("track_id",),
    "artists_artist_albums": ("album_id",),
}
WRITTEN = (
    "quote",
    "order_id",
    "rule_id",
    "league_id",
    "job_id",
    "token_id",
    "player_id",
)
Known = dict[str, Any]


def _terms(known: Known) -> Known:
    return {"artist_id": known["artist_id"], "side": "buy", "shares": 2}


def _rule(_: Known) -> Known:
    return {"kind": "exclude_hours", "first_hour": 3, "last_hour": 5}


# What is written before everything is read, so that there is something to read, and
# what ends it afterwards; a function of what was answered before gives the body.
FIRST: dict[str, Callable[[Known], Known | None]] = {
    "account_change_account": lambda _: {"is_public": True},
    "account_make_token": lambda _: {"name": "example", "scopes": ["read"]},
    "rules_correct_artist": lambda known: {
        "artist": known["name"],
        "becomes": known["other_name"],
    },
    "account_join_panel": lambda _: None,
    "account_ask_for_artist": lambda _: {"artist": "Nobody has listed this"},
    "rules_preview_rule": _rule,
    "rules_add_rule": _rule,
    "exchange_change_player": lambda _: {"is_public": True, "has_seen_tour": True},
    "exchange_quote": _terms,
    "exchange_trade": lambda known: {**_terms(known), "quote": known["quote"]},
    "exchange_place_order": _terms,
    "exchange_found_league": lambda _: {"league_name": "Example league"},
}
LAST: dict[str, Callable[[Known], Known | None]] = {
    "rules_remove_rule": lambda _: None,
    "exchange_join_league": lambda known: {"code": known["league_code"]},
    "exchange_leave_league": lambda _: None,
    "exchange_cancel_order": lambda _: None,
    "exchange_reset": lambda _: None,
    "exchange_leave": lambda _: None,
    "account_cancel_job": lambda _: None,
    "account_revoke_token": lambda _: None,
    "service_invalidate": lambda _: None,
    "account_log_out_everywhere": lambda _: None,
    "account_delete_account": lambda _: None,
}
# Only who is not in a league yet can join it.
BY_ANOTHER = {"exchange_join_league"}


class Asker:
    """A listener of the demo world who asks everything once."""

    def __init__(self, client: FlaskClient, as_: Callable[[str], Known]) -> None:
        self._client = client
        self._as = as_
        self.known: dict[str, Any] = {
            "listener_name": NAMES[0],
            "chart": "panel_artists",
            "entity": "artists",
            "grain": "month",
            "code": "not_found",
            "q": "a",
        }
        self.answers: dict[str, Any] = {}

    def ask(
        self, method: str, path: str, operation: dict[str, Any], body: Any = None
    ) -> None:
        """Ask one operation and keep its answer, if it is JSON."""
        asked, query = path, {}
        for parameter in operation.get("parameters", []):
            name = parameter["name"]
            if parameter["in"] == "path":
                value = self._value(name, parameter["schema"])
                asked = asked.replace(f"{{{name}}}", str(value))
            elif parameter["in"] == "query" and parameter.get("required"):
                query[name] = self._value(name, parameter["schema"])
            elif name == "limit":
                query[name] = str(ROWS)
            elif name == "quiet_days":  # the demo's listeners are seldom quiet
                query[name] = "7"
        name = NAMES[operation["operationId"] in BY_ANOTHER]
        headers = {**self._as(name), "Idempotency-Key": uuid.uuid4().hex}
        answer = self._client.open(
            asked, method=method, query_string=query, json=body, headers=headers
        )
        if answer.status_code >= 300:
            raise SystemExit(f"error: {method} {asked}: {answer.text}")
        if answer.is_json:
            found = answer.get_json()
            self._learn(operation["operationId"], found.get("data"))
            self.answers[operation["operationId"]] = short(found)

    def _value(self, name: str, schema: dict[str, Any]) -> Any:
        value = self.known.get(name) or next(iter(schema.get("enum", ())), None)
        if value is None:
            raise SystemExit(f"error: nothing is known to put in for {name}")
        return value

    def _learn(self, operation: str, data: Any) -> None:
        """Take what later addresses and bodies need from an answer."""
        first = data[0] if isinstance(data, list) and data else data
        if not isinstance(first, dict):
            return
        for name in (*LEARNT.get(operation, ()), *WRITTEN):
            if first.get(name) is not None:
                self.known[name] = first[name]
        if operation == "exchange_found_league":
            self.known["league_code"] = first["code"]


def short(value: Any) -> Any:
    """A value with the first rows of each list, and no whole secret."""
    if isinstance(value, list):
        return [short(item) for item in value[:ROWS]]
    if isinstance(value, dict):
        return {name: short(item) for name, item in value.items()}
    if isinstance(value, str) and SECRET.fullmatch(value):
        return value[:8] + "…"
    return value


@contextmanager
def sandbox(data_dir: Path) -> Iterator[Path]:
    """A data folder with the versions of another, and copies of what is written to."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "versions").symlink_to((data_dir / "versions").resolve())
        for name in ("published.json", "ops.sqlite", "exchange.sqlite"):
            shutil.copyfile(data_dir / name, folder / name)
        yield folder


def collect(data_dir: Path) -> dict[str, Any]:
    """The answers by operation, from the published version below `data_dir`."""
    with sandbox(data_dir) as folder:
        warehouse = load_settings().model_copy(update={"data_dir": folder})
        flags = {"public_panel": True, "admins": NAMES[0], "secret_key": "e" * 40}
        app = create_app(load_serve_settings(warehouse, flags))
        client = app.test_client()

        def as_(name: str) -> Known:
            with app.test_request_context():
                secret = accounts.log_in(services().accounts, name, days=1)
                client.set_cookie(COOKIE, str(signer("session").dumps(secret)))
            own = client.get(f"{PREFIX}/account").get_json()
            return {"X-CSRF-Token": own["data"]["csrf_token"]}

        asker = Asker(client, as_)
        listed = client.get(f"{PREFIX}/artists?listed=true&sort=value&limit=200")
        # One that is known enough to have everything, and cheap enough to buy.
        share = listed.get_json()["data"][-1]
        asker.known["artist_id"] = share["artist_id"]
        asker.known["name"] = share["artist_name"]
        asker.known["other_name"] = listed.get_json()["data"][0]["artist_name"]
        operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in app.described["paths"].items()  # type: ignore[attr-defined]
            for method, operation in item.items()
        }
        for name in LEARNT:
            asker.ask(*operations[name])
        asker.known["artists"] = asker.known["entity_id"] = asker.known["artist_id"]
        for name, body in FIRST.items():
            asker.ask(*operations[name], body(asker.known))
        for name, (method, path, operation) in operations.items():
            if method == "GET" and name not in LEARNT:
                asker.ask(method, path, operation)
        for name, body in LAST.items():
            asker.ask(*operations[name], body(asker.known))
        with app.app_context():
            services().store.close()
            services().accounts.dispose()
    return dict(sorted(asker.answers.items()))


if __name__ == "__main__":
    found = collect(load_settings().data_dir)
    EXAMPLES.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    print(f"{EXAMPLES.name}: {len(found)} answers")
