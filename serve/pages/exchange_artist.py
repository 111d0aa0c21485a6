"""One artist on the exchange: the price, the form to trade, and what became of it.

The form posts plainly and answers with the whole page. A script asks for the same parts
alone: the figures while an amount is typed, the quote under the form. Every amount is
made by the exchange; neither page nor script reckons one.
"""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request
from pydantic import Field

from exchange.errors import Refusal
from exchange.settings import UNITS_PER_CREDIT
from exchange.views import pages as views
from exchange.views.order_ticket import Ticket
from exchange.views.players import Trade
from serve import exchange_actions as actions
from serve.accounts import current_account, require
from serve.api import exchange_models as models
from serve.api.parameters import Key
from serve.exchange_access import exchange, read, read_for, read_own
from serve.pages import formatting
from serve.pages.exchange_figures import money, price_figure
from serve.pages.exchange_histories import fundamental_prices
from serve.pages.exchange_site import (
    Form,
    exchange_page,
    form_key,
    form_terms,
    known_path,
    require_done,
    valid,
)
from serve.pages.site import asked, takes
from serve.problems import Problem, retry_after

_QUICK_SHARES = (1, 10, 100)
_CAN_QUEUE = ("market_closed", "market_halted", "artist_halted")
"""Refusals of a trade now that an order for the open does not meet."""


class ArtistQuery(models.TicketQuery):
    """What the form holds, and what was done last."""

    done: Key | None = Field(None, description="a trade or an order of one's own")


@takes(ArtistQuery)
def artist(artist_id: str) -> Response:
    """One artist on the market: price, what one holds, and the form to trade."""
    path = _artist_path(artist_id)
    query = asked(ArtistQuery)
    try:
        return _artist_page(_read(path, query.shares, query.done))
    except Refusal as refusal:
        if refusal.code not in ("rejoin_too_soon", "account_too_new"):
            raise
        # Who may not play yet may look.
        page = read(views.artist_page, None, path.artist_id, _asked())
        return _artist_page(page, refusal=refusal)


@takes(models.TicketQuery)
def ticket(artist_id: str) -> Response:
    """The figures of an amount, alone: what the page shows while it is typed."""
    path = _artist_path(artist_id)
    require("read")
    shares = asked(models.TicketQuery).shares
    part = read_own(views.ticket_part, path.artist_id, _asked(shares))
    return exchange_page(
        "exchange_ticket.html",
        part.frame,
        tickets=part.tickets,
        said=said(part.tickets),
    )


def ask_quote(artist_id: str) -> Response:
    """A quote under the form, with the seconds it is good for."""
    path = _artist_path(artist_id)
    account = require("trade")
    terms = form_terms(path.artist_id)
    shared = exchange()
    try:
        body = valid(models.TermsBody, **terms)
    except Problem as problem:
        return _refused(path, problem, terms)
    found = read_for(
        account,
        views.quote_page,
        body.artist_id,
        body.side,
        body.shares,
        _asked(body.shares),
        key=shared.quote_key,
    )
    if found.refusal is not None:
        refusal = found.refusal
        return _answer(found.page, refusal.status, refusal=refusal, form=terms)
    return _answer(found.page, quote={**(found.quote or {}), **terms}, form=terms)


def trade(artist_id: str) -> Any:
    """Trade on the quote, and say in a sentence what was done."""
    path = _artist_path(artist_id)
    require("trade")
    terms = form_terms(path.artist_id)
    try:
        quote = request.form.get("quote", "")
        body = valid(models.TradeBody, **terms, quote=quote)
        answer = actions.trade(form_key(), body)
        require_done(answer)
    except (Refusal, Problem) as refusal:
        return _refused(path, refusal, terms)
    return _told(path, answer.body["trade_id"])


def order(artist_id: str) -> Any:
    """Queue an order for the next close, and say what it set aside."""
    path = _artist_path(artist_id)
    require("trade")
    terms = form_terms(path.artist_id)
    try:
        body = valid(models.OrderBody, **terms, limit_units=_limit_units())
        answer = actions.place_order(form_key(), body)
        require_done(answer)
    except (Refusal, Problem) as refusal:
        return _refused(path, refusal, terms)
    return _told(path, answer.body["order_id"])


def _told(path: models.ArtistPath, done_id: str) -> Any:
    """Back to the artist, where the sentence about it stands."""
    at = formatting.address(f"/exchange/artists/{path.artist_id}", done=done_id)
    return redirect(f"{at}#done", 303)


def said(tickets: tuple[Ticket, ...]) -> str:
    """The figures in a sentence, for those who hear the page while they type."""
    parts = []
    for one in tickets:
        if one.figures is not None:
            words = "Buying" if one.side == "buy" else "Selling"
            verb = "costs" if one.side == "buy" else "brings"
            parts.append(
                f"{words} {formatting.plural(one.shares, 'share')} {verb}"
                f" {money(one.figures.total_units)} credits, with a fee of"
                f" {money(one.figures.fee_units)}."
            )
        if one.detail is not None and one.detail not in parts:
            parts.append(one.detail)
    return " ".join(parts)


def _artist_path(artist_id: str) -> models.ArtistPath:
    return known_path(models.ArtistPath, "No artist has this key.", artist_id=artist_id)


def _asked(shares: int | None = None, done_id: str | None = None) -> views.Asked:
    shared = exchange()
    return views.Asked(shared.clock, shared.settings, shares, done_id)


def _read(
    path: models.ArtistPath, shares: int | None, done_id: str | None = None
) -> views.ArtistPage:
    if current_account() is None:
        return read(views.artist_page, None, path.artist_id, _asked())
    return read_own(views.artist_page, path.artist_id, _asked(shares, done_id))


def _answer(
    page: views.ArtistPage,
    code: int = 200,
    *,
    quote: Form | None = None,
    refusal: Refusal | Problem | None = None,
    form: Form,
) -> Response:
    """The whole page, or for a script the part under the form."""
    if request.form.get("part") != "quote":
        answer = _artist_page(page, code, quote=quote, refusal=refusal, form=form)
    else:
        answer = exchange_page(
            "exchange_quote.html",
            page.frame,
            code,
            artist=page.artist,
            **_offer(page, quote, refusal, form),
        )
    answer.headers.update(retry_after(code, _facts(refusal)))
    return answer


def _artist_page(
    page: views.ArtistPage,
    code: int = 200,
    *,
    quote: Form | None = None,
    refusal: Refusal | Problem | None = None,
    form: Form | None = None,
) -> Response:
    shares = page.tickets[0].shares if page.tickets else None
    return exchange_page(
        "exchange_artist.html",
        page.frame,
        code,
        rules=exchange().settings,
        artist=page.artist,
        own=page.own,
        prices=price_figure(
            page.artist,
            page.prices,
            fundamental_prices([page.artist.artist_id]).get(page.artist.artist_id, ()),
        ),
        tickets=page.tickets,
        said=said(page.tickets),
        quick_shares=_QUICK_SHARES,
        done=page.done,
        waiting=page.waiting,
        is_trade=isinstance(page.done, Trade),
        typed=(form or {}).get("shares", shares),
        **_offer(page, quote, refusal, form or {}),
    )


def _offer(
    page: views.ArtistPage,
    quote: Form | None,
    refusal: Refusal | Problem | None,
    form: Form,
) -> dict[str, Any]:
    """What stands under the form: a quote or why there is none, and the open."""
    chosen = next((one for one in page.tickets if one.side == form.get("side")), None)
    can_queue = chosen is not None and chosen.shares == form.get("shares")
    if refusal is not None:
        can_queue = can_queue and (
            refusal.code in _CAN_QUEUE or _facts(refusal).get("limit") == "impact"
        )
    return {
        "quote": quote,
        "refusal": refusal,
        "ticket": chosen,
        "can_queue": can_queue,
        "base_fee_ppm": exchange().settings.base_fee_ppm,
    }


def _facts(refusal: Refusal | Problem | None) -> dict[str, Any]:
    """What a refusal names beside its reason."""
    if refusal is None:
        return {}
    return refusal.facts if isinstance(refusal, Refusal) else refusal.extra


def _refused(
    path: models.ArtistPath, refusal: Refusal | Problem, terms: Form
) -> Response:
    """The page again with the reason: nobody has to type the same twice."""
    shares = terms["shares"]
    page = _read(path, shares if _is_amount(shares) else None)
    return _answer(page, refusal.status, refusal=refusal, form=terms)


def _is_amount(shares: Any) -> bool:
    return (
        isinstance(shares, int) and 0 < shares <= exchange().settings.max_order_shares
    )


def _limit_units() -> int | None:
    """The limit of a form in units; None for no limit."""
    limit = request.form.get("limit", "").strip()
    try:
        return round(float(limit) * UNITS_PER_CREDIT) if limit else None
    except (ValueError, OverflowError):
        raise Problem("invalid_body", "The limit is a price in credits.") from None
