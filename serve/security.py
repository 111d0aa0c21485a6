"""Security headers of every answer, and the signed cookie of a browser's session."""

from __future__ import annotations

from flask import Flask, Request, Response, request
from flask.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionMixin,
)

from serve.answers import MEDIA_TYPES

# Nothing inline, nothing foreign. `data:` is for the pictures inside style sheets.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; manifest-src 'self';"
    " form-action 'self' https://www.last.fm; base-uri 'none'; frame-ancestors {frames}"
)
_NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
# What only a document can do; each header is part of what a cached answer costs.
_OF_DOCUMENTS = [
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
]
# A problem is not among them: who asked for a page gets it as one.
_DATA = frozenset(MEDIA_TYPES.values())
_POLICY_OF_DATA = (
    "Content-Security-Policy",
    "default-src 'none'; frame-ancestors 'none'",
)
# By whether others' pages may use the answer.
_POLICIES = {
    can_embed: ("Content-Security-Policy", _CSP.format(frames=frames))
    for can_embed, frames in ((False, "'none'"), (True, "*"))
}


class _Sessions(SecureCookieSessionInterface):
    """The framework's, but no work where no cookie comes and none goes."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(
        self, app: Flask, session: SessionMixin, response: Response
    ) -> None:
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)


def install(app: Flask) -> None:
    """Add the headers; a picture marked X-Embeddable may stand in others' pages."""
    app.session_interface = _Sessions()

    @app.after_request
    def _headers(response: Response) -> Response:
        headers = response.headers
        can_embed = headers.pop("X-Embeddable", None) is not None
        is_open = can_embed or request.path.startswith(("/api/", "/openapi.json"))
        sharing = "cross-origin" if is_open else "same-origin"
        is_data = response.mimetype in _DATA
        headers.extend(
            [
                _NO_SNIFFING,
                _POLICY_OF_DATA if is_data else _POLICIES[can_embed],
                ("Cross-Origin-Resource-Policy", sharing),
            ]
        )
        if not is_data:
            for name, value in _OF_DOCUMENTS:
                headers.setdefault(name, value)
        if request.is_secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return response
