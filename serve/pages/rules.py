"""One's own rules as a page: what they are, one more, and what it would do first.

Administrators also say here what an artist's name is for everybody.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request

from serve import own_rules
from serve.accounts import Account, csrf_token, require
from serve.api import rules
from serve.own_rules import KINDS, Rule
from serve.pages.private import own_page
from serve.problems import Problem

KIND_WORDS = {
    "exclude_artist": "Leave out an artist",
    "exclude_album": "Leave out an album",
    "exclude_track": "Leave out a track",
    "exclude_tag": "Leave out a tag",
    "exclude_hours": "Leave out hours of the day",
    "artist_is": "An artist is another, or several",
    "album_is": "An album has another title",
    "track_is": "A track has another title",
    "recommend_more": "Recommend more like an artist",
    "recommend_never": "Never recommend an artist",
}
_FIELDS = ("kind", "artist", "title", "tag", "becomes", "first_hour", "last_hour")


def add_routes(pages: Blueprint) -> None:
    """The page and its forms."""
    pages.get("/me/rules")(own_rules_page)
    pages.post("/me/rules")(add_rule)
    pages.post("/me/rules/<rule_id>/remove")(remove_rule)
    pages.post("/me/corrections")(correct_artist)


def own_rules_page() -> Response:
    """One's own rules."""
    return _page(require("read"))


def add_rule() -> Any:
    """Keep the rule of the form, or say first how many plays it is about."""
    asking = require("write")
    rule = _given()
    if request.form.get("do") == "keep":
        rules.keep(asking, rule)
        return redirect("/me/rules", 303)
    return _page(asking, rule, rules.looked_at(asking, rule))


def remove_rule(rule_id: str) -> Any:
    """Remove a rule."""
    rules.drop(require("write"), rule_id)
    return redirect("/me/rules", 303)


def correct_artist() -> Any:
    """Decide what an artist's name is for everybody; an administrator's alone."""
    asking = require("admin")
    names = [request.form.get(name, "")[:200] for name in ("artist", "becomes")]
    if any("\0" in name for name in names):
        raise Problem("bad_request", "say two names")
    rules.correct(asking, *names)
    return redirect("/me#jobs", 303)


def _given() -> Rule:
    """The rule of the form.

    Raises:
        Problem: it is none.
    """
    form = {name: request.form.get(name, "")[:2000] for name in _FIELDS}
    kind = next((one for one in KINDS if one == form["kind"]), None)
    if kind is None or any("\0" in text for text in form.values()):
        raise Problem("bad_request", "choose what the rule is to do")
    return rules.checked(
        Rule(
            kind=kind,
            artist=form["artist"][:200],
            title=form["title"][:200],
            tag=form["tag"][:200],
            becomes=tuple(line[:200] for line in own_rules.several(form["becomes"])),
            first_hour=_hour(form["first_hour"]),
            last_hour=_hour(form["last_hour"]),
        )
    )


def _hour(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else 0


def _page(
    account: Account, rule: Rule | None = None, found: dict[str, Any] | None = None
) -> Response:
    return own_page(
        "own_rules.html",
        owner=account,
        csrf=csrf_token(account),
        rules=rules.rows(account),
        kinds=KIND_WORDS,
        given=rule,
        found=found,
        may_correct="admin" in account.scopes,
    )
