"""Keys, signatures, tokens and sessions, as auth.* of the API has them.

Any key is good except the two that are named here to be refused. Nothing is secret:
the shared secret and the password are the same for everybody and written below.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5

from local_lastfm.api import ApiError
from local_lastfm.render import Tree

API_KEY = "10ca110ca110ca110ca110ca110ca110"
SHARED_SECRET = "5eed5eed5eed5eed5eed5eed5eed5eed"
PASSWORD = "scrobble"
INVALID_KEY = "invalid"
SUSPENDED_KEY = "suspended"
TOKEN_SECONDS = 3600
UNSIGNED = ("format", "callback", "api_sig")
METHODS = {
    "auth.gettoken": "auth.getToken",
    "auth.getsession": "auth.getSession",
    "auth.getmobilesession": "auth.getMobileSession",
}


def signature(params: dict[str, str], secret: str) -> str:
    """api_sig: md5 over sorted names and values and the secret."""
    text = "".join(f"{k}{params[k]}" for k in sorted(params) if k not in UNSIGNED)
    return _md5(text + secret)


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Token:
    api_key: str
    issued_at: float
    listener: str = ""
    is_used: bool = False


class Accounts:
    """Tokens and session keys given out by one server; safe for threads."""

    def __init__(self, clock: Callable[[], float], secret: str = SHARED_SECRET) -> None:
        self.secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._sessions: dict[str, str] = {}
        self._issued = 0

    def check_key(self, params: dict[str, str]) -> None:
        key = params.get("api_key", "")
        if not key or key == INVALID_KEY:
            raise ApiError(
                10, 403, "Invalid API key - You must be granted a valid key by last.fm"
            )
        if key == SUSPENDED_KEY:
            raise ApiError(
                26,
                403,
                "API Key Suspended - This application is not allowed to make requests",
            )

    def check_signature(self, params: dict[str, str]) -> None:
        if params.get("api_sig") != signature(params, self.secret):
            raise ApiError(13, 403, "Invalid method signature supplied")

    def session_listener(self, params: dict[str, str]) -> str:
        """Whose session a signed call carries; '' for calls without `sk`."""
        key = params.get("sk")
        if not key:
            return ""
        self.check_signature(params)
        with self._lock:
            found = self._sessions.get(key)
        if found is None:
            raise ApiError(9, 403, "Invalid session key - Please re-authenticate")
        return found

    def issue_token(self, api_key: str, listener: str = "") -> str:
        with self._lock:
            self._issued += 1
            token = _md5(f"token {self._issued} {api_key} {self._clock()}")
            self._tokens[token] = _Token(api_key, self._clock(), listener)
        return token

    def authorise(self, token: str, listener: str) -> bool:
        """What the user's click on "Yes, allow access" does."""
        with self._lock:
            found = self._tokens.get(token)
            if found is None:
                return False
            found.listener = listener
        return True

    def open_session(self, listener: str) -> str:
        with self._lock:
            self._issued += 1
            key = _md5(f"session {self._issued} {listener}")
            self._sessions[key] = listener
        return key

    def answer(
        self, method: str, params: dict[str, str], find: Callable[[str], str | None]
    ) -> Tree:
        """auth.getToken, getSession and getMobileSession; `find` knows listeners."""
        self.check_signature(params)
        if method == "auth.getToken":
            return {"token": self.issue_token(params["api_key"])}
        if method == "auth.getSession":
            return self._session(self._redeem(params))
        name = params.get("username", "")
        given = params.get("password")
        listener = find(name)
        expected = _md5(name + _md5(PASSWORD))
        correct = given == PASSWORD or params.get("authToken") == expected
        if listener is None or not correct:
            raise ApiError(
                4,
                403,
                "Authentication Failed - You do not have permissions to access the "
                "service",
            )
        return self._session(listener)

    def _redeem(self, params: dict[str, str]) -> str:
        with self._lock:
            token = self._tokens.get(params.get("token", ""))
            if (
                token is None
                or token.is_used
                or (token.api_key != params.get("api_key"))
            ):
                raise ApiError(
                    4, 403, "Unauthorized Token - This token has not been issued"
                )
            if self._clock() - token.issued_at > TOKEN_SECONDS:
                raise ApiError(15, 403, "This token has expired")
            if not token.listener:
                raise ApiError(
                    14, 403, "Unauthorized Token - This token has not been authorized"
                )
            token.is_used = True
            return token.listener

    def _session(self, listener: str) -> Tree:
        key = self.open_session(listener)
        return {"session": {"name": listener, "key": key, "subscriber": 0}}
