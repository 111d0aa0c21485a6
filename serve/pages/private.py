"""Who may open a page about one listener, and what others see instead.

Owns the one answer that is given for a private listener and for one who is not there,
so that nobody learns from a page who is in the panel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, render_template

from serve.accounts import Account, current_account
from serve.api.listeners import allowed
from serve.api.parameters import ListenerPath
from serve.context import reading
from serve.pages.site import page
from serve.problems import Problem
from serve.store.contract import Reader

#: Makes the page for a reader who may see it; the account is the owner's, or None.
View = Callable[[Reader, str, Account | None], Response]


def opened(listener_name: str, view: View) -> Response:
    """The page of a listener, or word that it is kept private.

    Raises:
        Problem: the name cannot be, or the owner's token lacks the scope.
    """
    try:
        path = ListenerPath.model_validate({"listener_name": listener_name})
    except ValueError:
        raise Problem("not_found", "No listener has this name.") from None
    account = current_account()
    is_own = account is not None and account.listener_id == path.listener_id
    with reading() as reader:
        try:
            allowed(reader, path.listener_id)
        except Problem as problem:
            if is_own:
                raise
            # One answer for all of these: nobody learns here who is in the panel.
            assert problem.code in ("unauthenticated", "forbidden")
            return private_page(
                "keeps_private.html", reader, is_visitor=account is None
            )
        return view(reader, path.listener_id, account if is_own else None)


def own_page(template: str, code: int = 200, /, **given: Any) -> Response:
    """A page of no version that no cache keeps."""
    body = render_template(template, published=None, is_private=True, **given)
    response = Response(body, status=code, mimetype="text/html")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Vary"] = "Cookie"
    return response


def private_page(template: str, reader: Reader, **given: Any) -> Response:
    """A page that no cache keeps."""
    return page(template, reader.published, is_private=True, **given)
