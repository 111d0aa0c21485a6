"""Security headers of every answer."""

from __future__ import annotations

from flask import Flask, Response, request

# Nothing inline, nothing foreign. `data:` is for the pictures inside style sheets.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self' https://www.last.fm;"
    " base-uri 'none'; frame-ancestors {frames}"
)


def install(app: Flask) -> None:
    """Add the headers; a picture marked X-Embeddable may stand in others' pages."""

    @app.after_request
    def _headers(response: Response) -> Response:
        headers = response.headers
        can_embed = headers.pop("X-Embeddable", None) is not None
        headers["Content-Security-Policy"] = _CSP.format(
            frames="*" if can_embed else "'none'"
        )
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        is_open = can_embed or request.path.startswith(("/api/", "/openapi.json"))
        headers["Cross-Origin-Resource-Policy"] = (
            "cross-origin" if is_open else "same-origin"
        )
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        if request.is_secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return response
