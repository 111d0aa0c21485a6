"""The figures of the exchange's pages: rows as a picture, a table and an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

from markupsafe import Markup

from exchange.boards import Board
from exchange.settings import LEAGUES, PPM, UNITS_PER_CREDIT
from exchange.views.boards import BoardRow
from exchange.views.market import Artist, ArtistRow, EconomyDay, IndexDay, PriceDay
from exchange.views.notices import Notice
from exchange.views.players import Dividends, Portfolio, Trade, WorthDay
from serve.api.exchange_models import BoardQuery, ListQuery
from serve.pages import drawing, formatting
from serve.pages.artists import places_of
from serve.pages.exchange_histories import History
from serve.pages.site import Figure, Table, pick, table

LIST_WORDS = {
    "dearest": "dearest",
    "risers": "risers",
    "fallers": "fallers",
    "most_traded": "most traded",
    "popular": "popular on last.fm",
    "recent": "traded recently",
}
BOARD_WORDS = {
    "day": "day",
    "week": "week",
    "month": "month",
    "season": "season",
    "lifetime": "lifetime",
    "worth": "net worth",
}


class MarketQuery(ListQuery):
    list: str = "dearest"


class BoardsQuery(BoardQuery):
    board: Board = "season"


def money(units: int | None, digits: int = 2) -> str:
    """Units (ten-thousandths of a credit) as credits."""
    if units is None:
        return formatting.NOTHING
    return formatting.number(units / UNITS_PER_CREDIT, digits)


def percent(ppm: int | None) -> str:
    """Parts per million as a signed percentage."""
    if ppm is None:
        return formatting.NOTHING
    return f"{formatting.signed(100 * ppm / PPM, 2)} %" if ppm else "0.00 %"


def rate(ppm: int) -> str:
    """A fee in parts per million as a percentage."""
    return f"{100 * ppm / PPM:.2f} %"


def moved(ppm: int | None) -> Markup:
    """A change with its sign, its arrow and its colour."""
    if ppm is None:
        return Markup(formatting.NOTHING)
    kind, arrow = (
        ("up", "▲") if ppm > 0 else ("down", "▼") if ppm < 0 else ("same", "=")
    )
    return Markup(
        '<span class="move {}"><span aria-hidden="true">{}</span> {}</span>'
    ).format(kind, arrow, percent(ppm))


def when(moment: datetime | None) -> str:
    """A time of the exchange, UTC without a zone, as people read it.

    A narrow column breaks it between the day and the hour, nowhere else.
    """
    if moment is None:
        return formatting.NOTHING
    moment = moment.replace(tzinfo=UTC)
    day, hour = formatting.moment(moment).split(", ", 1)
    return Markup('<time datetime="{}"><span>{},</span> <span>{}</span></time>').format(
        moment.isoformat(timespec="seconds"), day, hour
    )


def stock_link(artist_id: str, name: str) -> Markup:
    """A link to an artist on the market."""
    return Markup('<a href="/exchange/artists/{}">{}</a>').format(
        artist_id, formatting.named(name)
    )


def stocks_figure(
    rows: Sequence[ArtistRow], query: MarketQuery, histories: Mapping[str, History]
) -> Figure:
    """One list of artists, by price or by change, with a line of each one's past."""
    by_change = query.list in ("risers", "fallers")
    summary = (
        "Change against the close before the last."
        if by_change
        else "Price of one share in credits; a change is against the close before."
    )
    title = f"Artists: {LIST_WORDS.get(query.list, 'for you')}"
    return Figure(
        key="stocks",
        title=title[0].upper() + title[1:],
        summary=summary,
        picture=drawing.bars(
            "stocks",
            title,
            summary,
            [
                (
                    row.artist_name,
                    abs(row.change_ppm) if by_change else row.price_units,
                    percent(row.change_ppm) if by_change else money(row.price_units),
                )
                for row in rows[:12]
            ],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: (
                    stock_link(row.artist_id, row.artist_name)
                    + (Markup(" <em>halted</em>") if row.is_halted else "")
                ),
                False,
            ),
            ("Price", lambda row: money(row.price_units), True),
            ("Change", lambda row: moved(row.change_ppm), True),
            (
                "90 days",
                lambda row: drawing.spark(histories.get(row.artist_id) or []),
                False,
            ),
            (
                "Tag",
                lambda row: formatting.named(row.top_tag or formatting.NOTHING),
                False,
            ),
            ("Fundamental", lambda row: money(row.fundamental_price_units), True),
            ("Listeners", lambda row: formatting.number(row.listeners), True),
            ("Trades today", lambda row: formatting.number(row.session_trades), True),
        ),
        csv=formatting.address(
            f"/api/v1/exchange/lists/{query.list}.csv",
            tag=query.tag,
            limit=query.limit,
            offset=query.offset or None,
        )
        if query.list != "recommended"
        else "/api/v1/exchange/recommended.csv",
        empty="Nothing is on this list now. Artists are listed once their history"
        " suffices; the first prices come with a daily run.",
        has_open_table=True,
    )


def price_figure(
    artist: Artist, days: Sequence[PriceDay], history: History = ()
) -> Figure:
    """An artist's price and fundamental price by day.

    Args:
        history: fundamental prices, in credits, of before it was traded as well.
    """
    summary = (
        "Price at each close and the fundamental price it follows, in credits, by UTC"
        " day."
    )
    closes = {row.date: row for row in days}
    past = {day: value for day, value in history if value is not None}
    fundamental = past | {
        day: row.fundamental_price_units / UNITS_PER_CREDIT
        for day, row in closes.items()
    }
    starts = sorted(fundamental)
    drawn = [
        drawing.Line(
            "Close",
            [
                (day, row.close_price_units / UNITS_PER_CREDIT)
                for day, row in closes.items()
            ],
        ),
        drawing.Line("Fundamental", [(day, fundamental[day]) for day in starts]),
    ]
    return Figure(
        key="price",
        title="Price",
        summary=summary,
        picture=drawing.lines(
            "price",
            f"Price of {formatting.clipped(artist.artist_name, 60)}",
            summary,
            drawn,
        ),
        table=Table(
            ["Day", "Close", "Fundamental", "Dividend a share", "Trades"],
            [_price_row(day, closes.get(day), fundamental[day]) for day in starts][
                ::-1
            ],
            frozenset(range(1, 5)),
            places_of(starts)[::-1],
        ),
        csv=f"/api/v1/exchange/artists/{artist.artist_id}/prices.csv",
        empty="The first close gives the first price.",
        legend=[(0, "Close"), (1, "Fundamental")],
    )


def _price_row(day: date, row: PriceDay | None, fundamental: float) -> list[str]:
    """A day of the table; before the first close there is the fundamental alone."""
    shown = formatting.number(fundamental, 2)
    if row is None:
        nothing = formatting.NOTHING
        return [formatting.short_day(day), nothing, shown, nothing, nothing]
    return [
        formatting.short_day(day),
        money(row.close_price_units),
        shown,
        money(row.dividend_units, 4),
        formatting.number(row.trades),
    ]


def worth_figure(days: Sequence[WorthDay]) -> Figure:
    """A player's net worth by day."""
    summary = "Cash and holdings together at each close, in credits."
    starts = [row.date for row in days]
    points = [
        (start, row.worth_units / UNITS_PER_CREDIT)
        for start, row in zip(starts, days, strict=True)
    ]
    return Figure(
        key="worth",
        title="Net worth",
        summary=summary,
        picture=drawing.lines(
            "worth", "Net worth by day", summary, [drawing.Line("Net worth", points)]
        ),
        table=Table(
            ["Day", "Net worth", "Cash", "Holdings", "Return"],
            [
                [
                    formatting.short_day(start),
                    money(row.worth_units),
                    money(row.cash_units),
                    money(row.holdings_units),
                    percent(row.return_ppm),
                ]
                for start, row in zip(starts[::-1], days[::-1], strict=True)
            ],
            frozenset(range(1, 5)),
            places_of(starts)[::-1],
        ),
        csv="/api/v1/exchange/worth.csv",
        empty="The first close after your first visit draws the first point.",
    )


def returns_figure(days: Sequence[WorthDay], index: Sequence[IndexDay]) -> Figure:
    """A player's return beside that of one share of every artist."""
    summary = (
        "Return since the first close in per cent, time-weighted, beside the index:"
        " one share of every listed artist."
    )
    own: list[tuple[date, float]] = []
    grown = 1.0
    for number, row in enumerate(days):
        # Reckoned from the first close on, as the index is.
        grown *= 1 + row.return_ppm / PPM if number else 1.0
        own.append((row.date, 100 * (grown - 1)))
    level = {row.date: row.price_units for row in index}
    first = index[0].price_units if index else 1
    other = [(day, 100 * (level[day] / first - 1)) for day, _ in own if day in level]
    returns = dict(other)
    return Figure(
        key="returns",
        title="You and the index",
        summary=summary,
        picture=drawing.lines(
            "returns",
            "Return by day",
            summary,
            [drawing.Line("You", own), drawing.Line("Index", other)],
        ),
        table=Table(
            ["Day", "You", "Index"],
            [
                [
                    formatting.short_day(day),
                    percent(round(value * PPM / 100)),
                    percent(round(returns[day] * PPM / 100))
                    if day in returns
                    else formatting.NOTHING,
                ]
                for day, value in reversed(own)
            ],
            frozenset({1, 2}),
            places_of([day for day, _ in own])[::-1],
        ),
        csv="/api/v1/exchange/worth.csv",
        empty="The second close draws the first line.",
        legend=[(0, "You"), (1, "Index")],
    )


def holdings_figure(portfolio: Portfolio) -> Figure:
    """What a player owns, the dearest first, as parts of net worth."""
    rows = portfolio.holdings
    summary = (
        "Cash and holdings as parts of net worth. A holding counts at its own price:"
        " what its first share would bring, before the fee. Its return is against what"
        " was paid for it, fee included; “Today” above is all of it against the last"
        " close, so that the two differ."
    )
    whole = max(1, portfolio.worth_units)
    parts = [("Cash", portfolio.cash_units)]
    parts += [(row.artist_name, row.worth_units) for row in rows[:12]]
    rest = sum(row.worth_units for row in rows[12:])
    if rest:
        parts.append((f"{len(rows) - 12} more", rest))
    return Figure(
        key="holdings",
        title="Holdings",
        summary=summary,
        picture=drawing.bars(
            "holdings",
            "Parts of net worth",
            summary,
            [(name, units, rate(units * PPM // whole)) for name, units in parts],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: stock_link(row.artist_id, row.artist_name),
                False,
            ),
            ("Shares", lambda row: formatting.number(row.shares), True),
            ("Price", lambda row: money(row.price_units), True),
            ("Own price", lambda row: money(row.own_price_units), True),
            ("Worth", lambda row: money(row.worth_units), True),
            ("Of all", lambda row: rate(row.worth_units * PPM // whole), True),
            ("Paid", lambda row: money(row.cost_units), True),
            ("Return", lambda row: moved(row.return_ppm), True),
        ),
        csv="/api/v1/exchange/portfolio.csv",
        empty="You own no shares yet. Choose an artist on the market.",
        has_open_table=True,
    )


def notice_words(notice: Notice) -> str:
    """What happened, in one sentence."""
    name = notice.artist_name or ""
    if notice.kind == "dividend":
        return f"Dividends of {money(notice.amount_units, 4)} credits."
    if notice.kind == "halted":
        return f"Trading in {name}, which you hold, was halted."
    asked = formatting.plural(notice.asked_shares, "share")
    order = f"Your order to {notice.side} {asked} of {name}"
    reason = f": {notice.reason.replace('_', ' ')}" if notice.reason else ""
    if notice.kind == "unfilled":
        return f"{order} was not filled{reason}."
    filled = (
        ""
        if notice.shares == notice.asked_shares
        else f"{formatting.number(notice.shares)} of them "
    )
    return f"{order} was filled, {filled}at {money(notice.price_units)} credits each."


def history_figure(rows: Sequence[Trade]) -> Figure:
    """A player's trades, newest first."""
    return Figure(
        key="history",
        title="Trades",
        summary="Newest first, in credits.",
        picture=Markup(""),
        table=table(
            rows,
            ("Time", lambda row: when(row.traded_at), False),
            ("", lambda row: row.side, False),
            (
                "Artist",
                lambda row: stock_link(row.artist_id, row.artist_name),
                False,
            ),
            ("Shares", lambda row: formatting.number(row.shares), True),
            ("Price", lambda row: money(row.price_units), True),
            ("Value", lambda row: money(row.value_units), True),
            ("Fee", lambda row: money(row.fee_units), True),
            ("How", lambda row: str(row.kind).replace("_", " "), False),
        ),
        csv="/api/v1/exchange/history.csv",
        empty="No trade yet: what you buy and sell on artists' pages is told here.",
        has_open_table=True,
    )


def dividends_figure(paid: Dividends) -> Figure:
    """A player's dividends, newest first."""
    return Figure(
        key="dividends",
        title="Dividends",
        summary=f"{money(paid.total_units)} credits so far; newest first.",
        picture=Markup(""),
        table=table(
            paid.dividends,
            (
                "Day",
                lambda row: formatting.short_day(row.date),
                False,
            ),
            (
                "Artist",
                lambda row: stock_link(row.artist_id, row.artist_name),
                False,
            ),
            ("Shares", lambda row: formatting.number(row.shares), True),
            ("Paid", lambda row: money(row.amount_units, 4), True),
        ),
        csv="/api/v1/exchange/dividends.csv",
        empty="Dividends go to holders of artists who did better than forecast.",
    )


def board_figure(
    rows: Sequence[BoardRow],
    board_date: date | None,
    query: BoardsQuery,
    key: str = "board",
) -> Figure:
    """A board, or with the key `near` the places around the player who looks."""
    is_worth = query.board == "worth"
    measured: Callable[[int], str] = money if is_worth else percent
    measure = "Net worth" if is_worth else "Return"
    summary = measure if is_worth else f"{measure}, {BOARD_WORDS[query.board]}"
    summary += f", at the close of {formatting.day(board_date)}." if board_date else "."
    path = f"/api/v1/exchange/boards/{query.board}"
    return Figure(
        key=key,
        title="Near you" if key == "near" else "Board",
        summary=summary,
        picture=drawing.bars(
            key,
            summary,
            summary,
            [
                (
                    row.player_name,
                    max(row.measure, 0),
                    measured(row.measure),
                )
                for row in rows[:10]
            ],
        )
        if key == "board"
        else Markup(""),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row.rank), True),
            ("Player", _player_name, False),
            ("League", lambda row: row.league, False),
            (measure, lambda row: measured(row.measure), True),
        ),
        csv=formatting.address(
            path + ("/near.csv" if key == "near" else ".csv"),
            league=query.league,
            friends_league=query.friends_league,
        ),
        empty="Boards are drawn at each close, once there are players.",
        has_open_table=True,
    )


def board_pickers(query: BoardsQuery, *, is_player: bool) -> dict[str, Any]:
    """Links to the other boards and leagues; one's own cohort is for players."""
    kept = {"league": query.league, "friends_league": query.friends_league}
    leagues = [("", "all"), *((name, name) for name in LEAGUES)]
    if is_player:
        leagues.append(("mine", "my cohort"))
    return {
        "names": pick(
            "/exchange/boards", "board", BOARD_WORDS.items(), query.board, **kept
        ),
        "leagues": pick(
            "/exchange/boards",
            "league",
            leagues,
            None if query.friends_league else query.league or "",
            board=query.board,
        ),
    }


def _player_name(row: BoardRow) -> Markup:
    name = formatting.named(row.player_name)
    if row.player_id:
        name = Markup('<a href="/exchange/players/{}">{}</a>').format(
            row.player_id, name
        )
    if row.is_simulated:
        name += Markup(" <em>simulated</em>")
    return name + Markup(" <em>(you)</em>") if row.is_self else name


ECONOMY = (
    (
        "money_supply_units",
        "Money supply",
        "All cash and the fees since the last close, in credits.",
    ),
    ("house_exposure_units", "House exposure", "What the house owes, in credits."),
    ("fees_units", "Fees", "Paid by the traders that day, in credits."),
    ("dividends_units", "Dividends", "Paid to holders that day, in credits."),
)


def economy_figure(
    rows: Sequence[EconomyDay], name: str, title: str, summary: str, days: int
) -> Figure:
    """One figure of the economy by day."""
    starts = [row.date for row in rows]
    points = [
        (start, getattr(row, name) / UNITS_PER_CREDIT)
        for start, row in zip(starts, rows, strict=True)
    ]
    return Figure(
        key=name.removesuffix("_units").replace("_", "-"),
        title=title,
        summary=summary,
        picture=drawing.lines(name, title, summary, [drawing.Line(title, points)]),
        table=Table(
            ["Day", title, "Players"],
            [
                [
                    formatting.short_day(start),
                    money(getattr(row, name)),
                    formatting.number(row.players),
                ]
                for start, row in zip(starts[::-1], rows[::-1], strict=True)
            ],
            frozenset({1, 2}),
            places_of(starts)[::-1],
        ),
        csv=formatting.address("/api/v1/exchange/economy.csv", days=days),
        empty="The first close writes the first report.",
    )


assert set(get_args(Board)) == set(BOARD_WORDS)
