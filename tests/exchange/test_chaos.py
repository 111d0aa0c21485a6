"""Many clients at once, and kill -9 in between.

Eight clients in four processes trade two artists. Whatever dies: the books sum to zero
at every read, nothing is negative, every answer that was heard is in the ledger exactly
once, and nobody waits for long.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from exchange import ledger, market, pricing, schema
from exchange.clock import utc_now
from exchange.database import Database
from tests.exchange.clients import RULES
from tests.exchange.game import Game

PROCESSES, CLIENTS = 4, 2
ROOT = Path(__file__).parents[2]


class Crowd:
    """The processes, and what their clients wrote down."""

    def __init__(self, url: str, folder: Path, broken: str = "") -> None:
        self.url, self.folder, self.broken = url, folder, broken
        self.database = Database(url)
        self.game = Game(self.database, RULES)
        self.game.now = utc_now()
        self.game.clock = utc_now  # type: ignore[method-assign]
        self.game.opened()
        for number in range(PROCESSES * CLIENTS):
            player_id = self.game.join(f"client {number}")
            (folder / f"player-{number}").write_text(player_id)
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, process: int, trades: int) -> None:
        arguments = [
            self.url,
            str(self.folder),
            str(process * CLIENTS),
            str(CLIENTS),
            str(trades),
            *([self.broken] if self.broken else []),
        ]
        self.running[process] = subprocess.Popen(
            [sys.executable, "-m", "tests.exchange.clients", *arguments],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )

    def start_all(self, trades: int) -> None:
        for process in range(PROCESSES):
            self.start(process, trades)

    def kill(self, process: int, trades: int) -> None:
        """Kill one process as hard as can be, and start it again."""
        self.running[process].send_signal(signal.SIGKILL)
        self.running[process].wait(30)
        self.start(process, trades)

    def is_busy(self) -> bool:
        return any(process.poll() is None for process in self.running.values())

    def stop(self) -> None:
        (self.folder / "stop").touch()
        for process in self.running.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)

    def heard(self) -> list[dict[str, object]]:
        """Every answer any client wrote down."""
        found = []
        for path in self.folder.glob("journal-*.jsonl"):
            for line in path.read_text().splitlines():
                try:
                    written = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if "answer" in written:
                    found.append(written)
        return found

    def trades(self) -> int:
        with self.database.read() as connection:
            return connection.execute(
                select(func.count()).select_from(schema.trades)
            ).scalar_one()

    def audit(self) -> list[str]:
        """What is wrong in one consistent read: the books, and the house's price."""
        with self.database.read() as connection:
            found = ledger.violations(connection)
            for row in connection.execute(select(schema.listings)):
                owed = (
                    pricing.purchase_value(
                        row.fundamental_price_units, row.depth_shares, 0, row.net_shares
                    )
                    if row.net_shares
                    else 0
                )
                if row.house_cash_units < owed - 1:
                    found.append(
                        f"{row.artist_name}: the house has {row.house_cash_units} for"
                        f" shares that cost {owed}"
                    )
        return found


@contextmanager
def crowd(url: str, folder: Path, broken: str = "") -> Iterator[Crowd]:
    made = Crowd(url, folder, broken)
    try:
        yield made
    finally:
        made.stop()
        made.database.dispose()


def check_acknowledged(one: Crowd) -> None:
    """Every heard answer is a trade in the ledger, and no two are the same."""
    heard = [line["answer"] for line in one.heard() if line["answer"]]
    assert len(heard) == len(set(heard))
    with one.database.read() as connection:
        kept = set(connection.execute(select(schema.trades.c.trade_id)).scalars())
    assert set(heard) <= kept
    # What was done but never heard of: at most one request a client and kill.
    assert len(kept) - len(heard) <= PROCESSES * CLIENTS


def play(url: str, folder: Path, trades: int, seconds: float) -> float:
    """Trade, with kills in between; gives the longest wait of any undisturbed trade."""
    with crowd(url, folder) as one:
        one.start_all(trades // (PROCESSES * CLIENTS))
        deadline = time.monotonic() + seconds
        kills = iter(range(PROCESSES))
        audits = 0
        while one.is_busy():
            assert time.monotonic() < deadline, "the clients did not finish"
            assert one.audit() == []
            audits += 1
            time.sleep(0.2)
            done = one.trades()
            if done > trades * (audits % 4 + 1) // 6 and done < trades // 2:
                process = next(kills, None)
                if process is not None:
                    one.kill(process, trades // (PROCESSES * CLIENTS))
        assert one.audit() == []
        assert audits >= 2
        check_acknowledged(one)
        assert one.trades() >= trades
        waits = [
            float(str(line["seconds"])) for line in one.heard() if "seconds" in line
        ]
        return max(waits)


def test_eight_clients_trade_and_are_killed_and_nothing_is_lost(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    play(new_database(), tmp_path, 400, 240)


@pytest.mark.chaos
def test_twenty_thousand_trades_keep_the_books_and_nobody_waits_a_second(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    assert play(new_database(), tmp_path, 20_000, 1800) < 1


def test_the_database_server_is_killed_and_nothing_acknowledged_is_lost(
    new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    with crowd(new_postgres(), tmp_path) as one:
        one.start_all(40)
        deadline = time.monotonic() + 240
        while one.trades() < 60:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with one.database.engine.connect() as connection:
            pid = connection.execute(
                text(
                    "select pid from pg_stat_activity where pid <> pg_backend_pid()"
                    " and datname = current_database() limit 1"
                )
            ).scalar_one()
        # One dead backend makes the server throw out everybody and recover.
        os.kill(pid, signal.SIGKILL)
        one.database.dispose()
        while one.is_busy():
            assert time.monotonic() < deadline, "the clients did not finish"
            time.sleep(0.2)
        assert one.audit() == []
        check_acknowledged(one)
        assert one.trades() >= 320


def test_without_row_locks_the_house_is_robbed(
    new_postgres: Callable[[], str], tmp_path: Path
) -> None:
    """The control: the same play, with the locks on player and listing left out."""
    with crowd(new_postgres(), tmp_path, "locks") as one:
        one.start_all(10**6)
        deadline = time.monotonic() + 240
        # Sooner or later two trades meet; how soon is chance.
        while not one.audit():
            assert time.monotonic() < deadline
            time.sleep(0.2)


def trades_behind_the_gate(one: Crowd, pause: float) -> int:
    """Close the market, wait that many seconds, and count what was traded meanwhile."""
    market.close_market(one.database, utc_now, RULES)
    before = one.trades()
    time.sleep(pause)
    return one.trades() - before


def start_trading(one: Crowd, seconds: float) -> None:
    one.start_all(10**6)
    deadline = time.monotonic() + seconds
    while one.trades() < 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def cycles(one: Crowd, times: int) -> int:
    """Close and open while everybody trades; counts trades behind a closed gate."""
    leaks = 0
    start_trading(one, 120)
    deadline = time.monotonic() + 60 + 4 * times
    for _ in range(times):
        leaks += trades_behind_the_gate(one, 0.1)
        market.open_market(one.database, utc_now)
        moving = one.trades()
        while one.trades() == moving:
            assert time.monotonic() < deadline, "nobody trades in an open market"
            time.sleep(0.02)
    return leaks


@pytest.mark.parametrize("times", [5, pytest.param(50, marks=pytest.mark.chaos)])
def test_no_trade_is_done_between_close_and_open(
    new_database: Callable[[], str], tmp_path: Path, times: int
) -> None:
    with crowd(new_database(), tmp_path) as one:
        assert cycles(one, times) == 0
        assert one.audit() == []


def test_without_the_gate_trades_are_done_in_a_closed_market(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    """The control; it does not open again, for which the others would have to pause."""
    with crowd(new_database(), tmp_path, "gate") as one:
        start_trading(one, 120)
        assert trades_behind_the_gate(one, 2.0) > 0
