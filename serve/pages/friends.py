"""A listener beside a friend, where both have agreed.

Who gives an invitation has agreed that its receiver sees both libraries side by side;
who opens it, logged in, sees them. The giver sees nothing of the receiver's until the
receiver gives an invitation back.
"""

from __future__ import annotations

from flask import Blueprint, Response

from serve.accounts import require
from serve.accounts.store import Account
from serve.context import reading
from serve.pages import drawing, formatting, links
from serve.pages.private import private_page
from serve.pages.site import Figure, table
from serve.problems import Problem
from serve.queries import comparison, listeners

#: How long an invitation can be opened.
INVITED_DAYS = 30
_PURPOSE = "comparison"
_SHOWN = 12


def add_routes(pages: Blueprint) -> None:
    """`/compare-with/<invitation>`."""
    pages.get("/compare-with/<invitation>")(compare_with)


def invitation_to(account: Account) -> str:
    """The path of a listener's invitation: the same all day, as a page is."""
    return f"/compare-with/{links.seal(_PURPOSE, INVITED_DAYS, account)}"


def compare_with(invitation: str) -> Response:
    """Both libraries, for who was invited and is logged in."""
    account = require("read")
    (friend_id,) = links.opened(_PURPOSE, invitation, _gone())
    with reading() as reader:
        mine = listeners.listener(reader, account.listener_id)
        theirs = listeners.listener(reader, friend_id)
        if theirs is None:
            raise _gone()
        if mine is None or friend_id == account.listener_id:
            return private_page(
                "friend_not_yet.html", reader, is_own=mine is not None, friend=theirs
            )
        found = comparison.compare(reader, account.listener_id, friend_id, limit=_SHOWN)
        name = theirs["listener_name"]
        return private_page(
            "friend.html",
            reader,
            friend=theirs,
            found=found,
            likeness=formatting.number(100 * found.likeness),
            figures=[
                _figure("both", "What you both play", found.both, name),
                _figure("theirs", f"Only {name} plays", found.only_theirs, name),
                _figure("mine", "Only you play", found.only_mine, name),
            ],
            back=invitation_to(account),
        )


def _gone() -> Problem:
    return Problem("not_found", "This invitation opens nothing, or no longer.")


def _figure(key: str, title: str, rows: comparison.Rows, friend: str) -> Figure:
    says = "Plays of all time; the bars show yours."
    measure = "mine"
    if key == "theirs":
        says, measure = "Plays of all time.", "theirs"
    return Figure(
        key=key,
        title=title,
        summary=says,
        picture=drawing.bars(
            key,
            title,
            says,
            [
                (row["artist_name"], row[measure], formatting.number(row[measure]))
                for row in rows
            ],
            links=[f"/artists/{row['artist_id']}" for row in rows],
        ),
        table=table(
            rows,
            (
                "Artist",
                lambda row: formatting.artist_link(
                    row["artist_id"], row["artist_name"]
                ),
                False,
            ),
            ("You", lambda row: formatting.number(row["mine"]), True),
            (friend, lambda row: formatting.number(row["theirs"]), True),
        ),
        csv="",
        empty="There is none.",
    )
