"""What a player can do on the exchange, each once for its key; for routes and pages."""

from __future__ import annotations

from exchange import leagues, orders, players, trading
from exchange.player_request import Answer
from serve.api.exchange_models import (
    CodeBody,
    LeagueBody,
    LeaguePath,
    OrderBody,
    OrderPath,
    PlayerBody,
    TradeBody,
)
from serve.exchange_access import exchange, write_once


def trade(key: str, body: TradeBody) -> Answer:
    """Trade on a quote, at its price or not at all."""
    shared = exchange()
    quote_key = shared.quote_key
    return write_once(
        "trade",
        key,
        body,
        lambda request: trading.trade(
            request,
            shared.clock,
            shared.settings,
            body.artist_id,
            body.side,
            body.shares,
            body.quote,
            key=quote_key,
        ),
        201,
    )


def place_order(key: str, body: OrderBody) -> Answer:
    """Queue an order for the open."""
    shared = exchange()
    return write_once(
        "order",
        key,
        body,
        lambda request: orders.place(
            request,
            shared.clock,
            shared.settings,
            body.artist_id,
            body.side,
            body.shares,
            body.limit_units,
        ),
        201,
    )


def cancel_order(key: str, path: OrderPath) -> Answer:
    """Take a queued order back."""
    shared = exchange()
    return write_once(
        "cancel",
        key,
        path,
        lambda request: orders.cancel(request, shared.clock, path.order_id),
    )


def change_settings(key: str, body: PlayerBody) -> Answer:
    """Change one's name on the boards, who may see it, and whether the tour is over."""
    shared = exchange()
    return write_once(
        "settings",
        key,
        body,
        lambda request: players.change_settings(
            request,
            shared.clock,
            name=body.player_name,
            is_public=body.is_public,
            has_seen_tour=body.has_seen_tour,
        ),
    )


def reset(key: str) -> Answer:
    """Start again, complete."""
    shared = exchange()
    return write_once(
        "reset",
        key,
        None,
        lambda request: players.reset(request, shared.clock, shared.settings),
        in_person=True,
    )


def leave(key: str) -> Answer:
    """Stop playing."""
    shared = exchange()
    return write_once(
        "leave",
        key,
        None,
        lambda request: players.leave(request, shared.clock),
        in_person=True,
    )


def found_league(key: str, body: LeagueBody) -> Answer:
    """Found a league among friends."""
    shared = exchange()
    return write_once(
        "found league",
        key,
        body,
        lambda request: leagues.found_friends_league(
            request, shared.clock, body.league_name
        ),
        201,
    )


def join_league(key: str, body: CodeBody) -> Answer:
    """Join a league by its code."""
    shared = exchange()
    return write_once(
        "join league",
        key,
        body,
        lambda request: leagues.join_friends_league(request, shared.clock, body.code),
    )


def leave_league(key: str, path: LeaguePath) -> Answer:
    """Leave a league; it ends when its founder leaves."""
    return write_once(
        "leave league",
        key,
        path,
        lambda request: leagues.leave_friends_league(request, path.league_id),
    )
