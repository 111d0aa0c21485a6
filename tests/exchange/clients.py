"""Clients for the chaos tests: a process of its own, with threads that trade.

    python -m tests.exchange.clients URL FOLDER FIRST CLIENTS TRADES [BREAK]

Every client keeps a journal: what it is about to send, and every answer it has heard.
Started again after a kill, it first sends again what it never heard the answer of.
BREAK switches a guard off, for the controls: `locks` or `gate`.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from exchange import market, player_request, trading
from exchange.clock import utc_now
from exchange.database import Database, is_transient
from exchange.errors import Refusal
from exchange.settings import ExchangeSettings
from tests.exchange.game import artist

RULES = ExchangeSettings(novice_days=0, holding_limit_pct=100, staleness_z_milli=0)
NAMES = ("Low", "Can")


class Client:
    """One player who buys and sells, and writes down what it was told."""

    def __init__(self, database: Database, folder: Path, number: int) -> None:
        self.database = database
        self.player_id = (folder / f"player-{number}").read_text()
        self.journal = folder / f"journal-{number}.jsonl"
        self.number = number
        self.dice = random.Random(f"client {number} {time.time_ns()}")
        self.heard = 0
        self.pending: dict[str, Any] | None = None
        for line in self._lines():
            if "answer" in line:
                self.heard += line["answer"] is not None
                self.pending = None
            else:
                self.pending = line

    def _lines(self) -> list[dict[str, Any]]:
        if not self.journal.exists():
            return []
        found = []
        for line in self.journal.read_text().splitlines():
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                continue  # cut off by the kill
        return found

    def write(self, line: dict[str, Any]) -> None:
        with self.journal.open("a") as file:
            file.write("\n" + json.dumps(line))

    def play(self, trades: int, stop: Path) -> None:
        if self.pending is not None:
            self.send(self.pending)
        while self.heard < trades and not stop.exists():
            terms = self.ask()
            if terms is None:
                continue
            self.pending = {"key": f"{self.number}-{time.time_ns()}", **terms}
            self.write(self.pending)
            self.send(self.pending)

    def ask(self) -> dict[str, Any] | None:
        name = self.dice.choice(NAMES)
        side: Any = self.dice.choice(("buy", "sell"))
        shares = self.dice.randint(1, 5)
        try:
            with self.database.read() as connection:
                quoted = trading.quote(
                    connection,
                    utc_now,
                    RULES,
                    self.player_id,
                    artist(name),
                    side,
                    shares,
                )
        except Refusal as refusal:
            if refusal.code == "market_closed":
                time.sleep(0.005)
            return None
        except DBAPIError as error:
            if not is_transient(error):
                raise
            time.sleep(0.1)
            return None
        return {
            "artist_id": artist(name),
            "side": side,
            "shares": shares,
            "quote_text": quoted["quote"],
        }

    def send(self, line: dict[str, Any]) -> None:
        """Send until answered; the key makes sending twice harmless."""
        terms = {name: value for name, value in line.items() if name != "key"}
        while True:
            started = time.monotonic()
            try:
                answer = self.database.run(
                    lambda c: player_request.answer_once(
                        c,
                        utc_now,
                        self.player_id,
                        line["key"],
                        terms,
                        lambda d: trading.trade(d, utc_now, RULES, **terms),
                    )
                )
            except Refusal as refusal:
                if refusal.code == "busy":
                    time.sleep(0.2)
                    continue
                self.write({"answer": None, "code": refusal.code, "key": line["key"]})
                self.pending = None
                return
            except DBAPIError:
                # Not known whether it was done: the key will tell.
                time.sleep(0.2)
                continue
            self.write(
                {
                    "answer": answer.body.get("trade_id"),
                    "code": answer.body.get("code"),
                    "key": line["key"],
                    "seconds": time.monotonic() - started,
                }
            )
            self.heard += answer.status == 200
            self.pending = None
            return


def switch_off(guard: str) -> None:
    """Break the exchange, for the controls."""
    if guard == "locks":
        player_request._market_and_player = player_request.market_and_player(
            is_locked=False
        )
        trading._traded = trading.traded(is_locked=False)
        trading._check_agreed = lambda terms, agreed: None  # type: ignore[assignment]
    elif guard == "gate":
        market.require_open = _let_in_when_closed  # type: ignore[assignment]
    else:
        raise ValueError(guard)


def _let_in_when_closed(state: Any) -> None:
    """Newcomers wait while somebody closes, or the closing would never end."""
    if state.state == "open" and state.is_closing:
        raise Refusal("market_closed", "closing")


def main(arguments: list[str]) -> None:
    url, folder, first, clients, trades = arguments[:5]
    if arguments[5:]:
        switch_off(arguments[5])
    database = Database(url, pool_size=int(clients) + 1)
    threads = [
        threading.Thread(
            target=Client(database, Path(folder), int(first) + n).play,
            args=(int(trades), Path(folder) / "stop"),
        )
        for n in range(int(clients))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.dispose()


if __name__ == "__main__":
    main(sys.argv[1:])
