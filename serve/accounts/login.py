"""Login through last.fm's web authentication, by pylast.

The browser goes to last.fm with a callback that carries a state: signed, bound to the
browser by a cookie, good for ten minutes and one use. The session key last.fm gives is
dropped at once; only the name it belongs to is kept.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlencode, urlsplit

import pylast
from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import HTTPException

from serve.problems import Problem
from serve.settings import ServeSettings
from warehouse.other_root import OtherRoot
from warehouse.redact import redact

log = logging.getLogger(__name__)

STATE_COOKIE = "scrobble_login"
STATE_SECONDS = 600
_MOST_BACK = 1000
_NO_PAGES = (
    "pages.static",
    "pages.favicon",
    "pages.theme_css",
    "pages.choose_theme",
    "pages.cover",
)
_ODD = re.compile(r"[\\\x00-\x20\x7f]")


def states(signing_key: str) -> URLSafeTimedSerializer:
    """Signs the states of logins."""
    return URLSafeTimedSerializer(signing_key, salt="serve.login")


def is_configured(settings: ServeSettings) -> bool:
    """Whether last.fm's key and secret are set."""
    return bool(
        settings.warehouse.lastfm_api_key and settings.warehouse.lastfm_shared_secret
    )


def address(settings: ServeSettings, callback_url: str, signed_state: str) -> str:
    """Where the browser goes to allow the login.

    Raises:
        Problem: key or secret are not set.
    """
    if not is_configured(settings):
        raise Problem(
            "login_not_configured",
            "the operator must set LASTFM_API_KEY and LASTFM_SHARED_SECRET",
        )
    callback = f"{callback_url}?{urlencode({'state': signed_state})}"
    query = urlencode({"api_key": settings.warehouse.lastfm_api_key, "cb": callback})
    joint = "&" if urlsplit(settings.login_url).query else "?"
    return f"{settings.login_url}{joint}{query}"


def sign_state(signing_key: str, state: str, back: str | None) -> str:
    """A state for the browser to carry, with the page to come back to."""
    return str(states(signing_key).dumps(f"{state} {_page(back)}"))


def read_state(signing_key: str, signed: str) -> tuple[str, str]:
    """The state inside a signed one, and the page to come back to.

    Raises:
        Problem: it was not signed here, or more than ten minutes ago.
    """
    try:
        signed_state = states(signing_key).loads(signed, max_age=STATE_SECONDS)
    except BadSignature as error:
        raise Problem(
            "forbidden", "the login was not begun here or took too long; log in again"
        ) from error
    state, _, page = str(signed_state).partition(" ")
    return state, _page(page)


def _page(back: str | None) -> str:
    """The address where it is one of our own pages, else home.

    No other address is taken from a link, and none that a view does not answer to.
    """
    path = (back or "").partition("?")[0]
    if back is None or len(back) > _MOST_BACK or not _is_plain(back):
        return "/"
    try:
        endpoint, _ = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return "/"
    is_page = str(endpoint).startswith("pages.") and endpoint not in _NO_PAGES
    return back if is_page else "/"


def _is_plain(back: str) -> bool:
    """Whether a browser can only take the address for a path of this site."""
    return back.startswith("/") and back[1:2] != "/" and not _ODD.search(back)


def listener_of(settings: ServeSettings, token: str) -> tuple[str, int]:
    """Whom last.fm's token belongs to: the name, and when it was registered (uts).

    Raises:
        Problem: last.fm refuses the token or cannot be reached.
    """
    network = pylast.LastFMNetwork(
        api_key=settings.warehouse.lastfm_api_key or "",
        api_secret=settings.warehouse.lastfm_shared_secret or "",
    )
    if settings.login_api_url is not None:
        # pylast speaks https to last.fm's host; the transport sends it elsewhere.
        network.enable_proxy({"https://": OtherRoot(settings.login_api_url)})
    try:
        _, name = pylast.SessionKeyGenerator(network).get_web_auth_session_key_username(
            None, token
        )
        registered_uts = int(network.get_user(name).get_unixtime_registered())
    except (
        pylast.WSError,
        pylast.NetworkError,
        pylast.MalformedResponseError,
    ) as error:
        detail = redact(str(error)).replace(token, "***")
        log.warning("last.fm refused a login: %s", detail)
        raise Problem("login_failed", f"last.fm said: {detail}") from None
    except (AttributeError, IndexError, TypeError, ValueError):
        raise Problem("login_failed", "last.fm gave no name") from None
    return str(name), registered_uts
