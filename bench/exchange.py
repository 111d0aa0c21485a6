"""Trades a second on both databases, beside the bare statements without any rule.

    python -m bench.exchange [--trades N] [--clients N] [--rounds N]

Each client is a process that asks for a quote and trades on it, again and again.
`trade` does it through the exchange: prices, limits, signature, idempotency, ledger,
queue. `bare` sends the same statements, quote and trade, straight to the driver on the
same tables, with fixed values and without a rule. On SQLite `in_turn` are the bare
statements behind a lock that the kernel passes on in order, as the exchange's are:
without one, who has just written writes again before who waits is awake, which is
quicker and lets some wait for seconds. Waits are of the trade alone, from asking for
the locks to the commit; rates count the quotes' time in all.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import random
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from hashlib import md5
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import make_url

from exchange import market, player_request, players, settlement, trading
from exchange.clock import utc_now
from exchange.database import Database
from exchange.errors import Refusal
from exchange.settings import ExchangeSettings
from exchange.settlement import ArtistValue, SettlementInputs

RULES = ExchangeSettings(novice_days=0, holding_limit_pct=100, staleness_z_milli=0)
ARTISTS = [md5(f"artist {n}".encode()).hexdigest() for n in range(50)]


def prepare(url: str, clients: int) -> list[str]:
    """An open market with fifty artists and a rich player for each client."""
    database = Database(url)
    database.upgrade()
    database.run(lambda c: market.prepare(c, utc_now, secrets.token_hex(32)))
    inputs = SettlementInputs(
        utc_now().date(),
        "bench",
        utc_now(),
        # Cheap enough for four shares of each: a refusal is no trade.
        [ArtistValue(one, one[:8], 100_000) for one in ARTISTS],
    )
    database.run(lambda c: settlement.settle(c, utc_now, RULES, inputs))
    market.open_market(database, utc_now)
    found = [
        database.run(lambda c, n=n: players.join(c, utc_now, RULES, str(n), f"p{n}"))
        for n in range(clients)
    ]
    database.dispose()
    return found


def trade(url: str, player_id: str, trades: int, results: Any, start: Any) -> None:
    """One client of the exchange, so many attempts; sends the waits of its trades.

    A refusal is an attempt too, and who cannot pay any more sells: so it ends.
    """
    database = Database(url, pool_size=2)
    key = database.run(market.quote_key)
    dice = random.Random(player_id)
    waits: list[float] = []
    refused: Counter[str] = Counter()
    held: dict[str, int] = {}
    start.wait()
    cpu = time.process_time()
    is_broke = False
    for _ in range(trades):
        artist = dice.choice(sorted(held) if is_broke and held else ARTISTS)
        side: Any = "sell" if held.get(artist, 0) > 3 or is_broke else "buy"
        try:
            with database.read() as connection:
                quoted = trading.quote(
                    connection, utc_now, RULES, player_id, artist, side, 2, key=key
                )
            began = time.perf_counter()
            answer = _trade_on(database, player_id, artist, side, quoted["quote"], key)
        except Refusal as refusal:
            refused[refusal.code] += 1
            is_broke = refusal.code == "insufficient_funds"
            continue
        if answer.status != 200:
            refused[answer.body["code"]] += 1
            continue
        waits.append(time.perf_counter() - began)
        left = held.pop(artist, 0) + (2 if side == "buy" else -2)
        if left:
            held[artist] = left
    cpu = time.process_time() - cpu
    database.dispose()
    results.put((waits, refused, cpu))


def _trade_on(
    database: Database, player_id: str, artist: str, side: str, quote: str, key: bytes
) -> player_request.Answer:
    return database.run(
        lambda c: player_request.answer_once(
            c,
            utc_now,
            player_id,
            secrets.token_hex(16),
            {"operation": "trade", "artist_id": artist, "quote": quote},
            lambda d: trading.trade(d, utc_now, RULES, artist, side, 2, quote, key=key),
        )
    )


_MARKET = (
    "select m.*, c.is_closing from {s}market m join {s}closing c"
    " on c.market_id = m.market_id{share}"
)
_WORTH = (
    "select h.shares, h.basis_nanos, l.fundamental_price_units, l.price_units"
    " from {s}holdings h join {s}listings l on l.artist_id = h.artist_id"
    " where h.player_id = ? and h.shares > 0"
)
_INSERT_TRADE = (
    "insert into {s}trades (trade_id, player_id, artist_id, side, shares, value_units,"
    " fee_units, price_units, kind, quote_id, session, traded_at) values"
    " (?, ?, ?, 'buy', 1, 0, 0, 0, 'bare', ?, 1, '2024-01-01 00:00:00')"
    " on conflict (quote_id) do nothing"
)
# What is kept of a player and what was posted: every write compares them.
_BOOKS = (
    " returning (select cash_units from {s}players where player_id = ?),"
    " (select shares from {s}holdings where player_id = ? and artist_id = ?),"
    " (select basis_nanos from {s}holdings where player_id = ? and artist_id = ?),"
    " (select sum(amount) from {s}postings where account = ? and asset = 'cash'),"
    " (select sum(amount) from {s}postings where account = ? and asset = 'x'),"
    " (select sum(amount) from {s}postings where account = ? and asset = 'basis:x')"
)
_INSERT_POSTINGS = (
    "insert into {s}postings (transaction_id, line, account, asset, amount) values"
    " (?, 0, ?, 'cash', -3), (?, 1, 'b', 'cash', 2), (?, 2, 'c', 'cash', 1),"
    " (?, 3, ?, 'x', 1), (?, 4, 'b', 'x', -1), (?, 5, ?, 'basis:x', 1),"
    " (?, 6, 'b', 'basis:x', -1)"
)


def _connect(url: str) -> Any:
    """The driver's own connection."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        connection = sqlite3.connect(
            str(address.database), isolation_level=None, timeout=60
        )
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
            connection.execute(f"pragma {pragma}")
        return connection
    return psycopg2.connect(
        host=address.host,
        port=address.port,
        user=address.username,
        password=address.password,
        dbname=address.database,
    )


def _write_trade(
    run: Callable[..., None], player_id: str, artist: str, trade_id: str
) -> None:
    run(_INSERT_TRADE, trade_id, player_id, artist, trade_id)
    t, who = trade_id, player_id
    run(_INSERT_POSTINGS, t, who, t, t, t, who, t, t, who, t)
    run(
        "insert into {s}transactions (transaction_id, kind, session, occurred_at)"
        " values (?, 'bare', 1, '2024-01-01 00:00:00')",
        trade_id,
    )
    run(
        "update {s}players set cash_units = cash_units - 1 where player_id = ?",
        player_id,
    )
    run(
        "insert into {s}holdings (player_id, artist_id, shares) values (?, ?, 1)"
        " on conflict (player_id, artist_id) do update"
        " set shares = holdings.shares + 1",
        player_id,
        artist,
    )
    run(
        "update {s}listings set net_shares = net_shares + 1 where artist_id = ?",
        artist,
    )
    run(
        "insert into {s}answers (player_id, idempotency_key, body_hash, status,"
        " body, answered_at) values (?, ?, 'x', 200, 'x', '2024-01-01 00:00:00')"
        + _BOOKS,
        player_id,
        trade_id,
        player_id,
        *[player_id, artist] * 2,
        *[player_id] * 3,
    )


def in_turn(url: str, player_id: str, trades: int, results: Any, start: Any) -> None:
    """The same statements straight on the driver, each trade in its turn."""
    bare(url, player_id, trades, results, start, queue=f"{make_url(url).database}.turn")


def bare(
    url: str,
    player_id: str,
    trades: int,
    results: Any,
    start: Any,
    queue: str = os.devnull,
) -> None:
    """The same statements straight on the driver; `queue` is a file to lock."""
    connection = _connect(url)
    is_sqlite = isinstance(connection, sqlite3.Connection)
    words = {
        "s": "" if is_sqlite else "exchange.",
        "share": "" if is_sqlite else " for share of m",
        "update": "" if is_sqlite else " for update",
    }
    cursor = connection.cursor()

    def run(sql: str, *binds: Any, **other: str) -> None:
        text = sql.format(**{**words, **other})
        cursor.execute(text if is_sqlite else text.replace("?", "%s"), binds)
        if cursor.description:
            cursor.fetchall()

    def look(artist: str, **other: str) -> None:
        run(_MARKET, **other)
        run("select * from {s}players where player_id = ?{update}", player_id, **other)
        run("select * from {s}listings where artist_id = ?{update}", artist, **other)
        run(
            "select * from {s}holdings where player_id = ? and artist_id = ?",
            player_id,
            artist,
        )
        run(_WORTH, player_id)

    dice = random.Random(player_id)
    waits: list[float] = []
    is_queued = queue != os.devnull
    turn = os.open(queue, os.O_RDWR | os.O_CREAT, 0o600)
    start.wait()
    cpu = time.process_time()
    for _ in range(trades):
        artist, trade_id = dice.choice(ARTISTS), secrets.token_hex(16)
        if is_sqlite:
            run("begin")
        look(artist, share="", update="")
        connection.rollback()
        began = time.perf_counter()
        if is_queued:
            fcntl.flock(turn, fcntl.LOCK_EX)
        if is_sqlite:
            run("begin immediate")
        run("select * from {s}answers where idempotency_key = ?", trade_id)
        look(artist)
        _write_trade(run, player_id, artist, trade_id)
        connection.commit()
        if is_queued:
            fcntl.flock(turn, fcntl.LOCK_UN)
        waits.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
    os.close(turn)
    connection.close()
    results.put((waits, Counter(), cpu))


def measure(
    work: Callable[..., None], url: str, player_ids: list[str], trades: int
) -> dict[str, Any]:
    """Run one client a player at once; gives the rate and the waits in milliseconds."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    start = context.Barrier(len(player_ids) + 1)
    each = trades // len(player_ids)
    processes = [
        context.Process(target=work, args=(url, one, each, results, start))
        for one in player_ids
    ]
    for process in processes:
        process.start()
    start.wait()
    began = time.perf_counter()
    parts = [results.get(timeout=600) for _ in processes]
    seconds = time.perf_counter() - began
    for process in processes:
        process.join(30)
    waits = sorted(wait for part, _, _ in parts for wait in part)
    refused = sum((codes for _, codes, _ in parts), Counter())
    if not waits:
        raise SystemExit(f"no trade was done: {dict(refused)}")
    return {
        "trades_per_second": round(len(waits) / seconds, 1),
        "p50_ms": round(1000 * statistics.median(waits), 2),
        "p99_ms": round(1000 * waits[int(len(waits) * 0.99)], 2),
        "longest_ms": round(1000 * waits[-1], 1),
        "client_cpu_ms": round(1000 * sum(cpu for _, _, cpu in parts) / len(waits), 2),
        "refused": dict(refused),
    }


def compare(
    new_url: Callable[[str], str],
    clients: int,
    trades: int,
    rounds: int,
    *peers_of: Callable[..., None],
) -> dict[str, Any]:
    """The exchange and its peers, one after the other; the median of the rounds.

    Each has its own database: the bare statements leave books that do not add up.
    """
    peers = {work.__name__: work for work in (trade, *peers_of)}
    urls = {name: new_url(name) for name in peers}
    player_ids = {name: prepare(url, clients) for name, url in urls.items()}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, work in peers.items():
            found[name].append(measure(work, urls[name], player_ids[name], trades))
    chosen = {
        name: sorted(runs, key=lambda run: run["trades_per_second"])[len(runs) // 2]
        for name, runs in found.items()
    }
    rate = chosen["trade"]["trades_per_second"]
    ratios = {
        f"ratio_to_{name}": round(rate / chosen[name]["trades_per_second"], 2)
        for name in chosen
        if name != "trade"
    }
    return {**chosen, **ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trades", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.system import start_postgres

    given = (arguments.clients, arguments.trades, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "sqlite": compare(
                lambda name: f"sqlite:///{folder}/{name}.sqlite", *given, bare, in_turn
            )
        }
    server = start_postgres()
    with closing(_Stopping(server.stop)):
        found["postgresql"] = compare(lambda _: server.new_database(), *given, bare)
    print(json.dumps(found, indent=2))


class _Stopping:
    def __init__(self, close: Callable[[], None]) -> None:
        self.close = close


if __name__ == "__main__":
    main()
