"""Problem documents (RFC 9457): the one shape of every error.

Owns the closed list of codes. A code never changes its meaning.
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException

from serve.cache import REPEATABLE
from serve.store.contract import StoreUnavailable, VersionMoved
from warehouse.errors import WarehouseError
from warehouse.redact import without_folders

log = logging.getLogger(__name__)

CODES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "invalid_range": (400, "The range cannot be"),
    "invalid_time_zone": (400, "There is no such time zone"),
    "invalid_combination": (400, "These parameters do not go together"),
    "unauthenticated": (401, "Log in or send a token"),
    "forbidden": (403, "This is not yours to read or change"),
    "missing_scope": (403, "The token lacks a scope"),
    "csrf_failed": (403, "The CSRF token is missing or wrong"),
    "fresh_login_needed": (403, "Log in again to do what cannot be taken back"),
    "not_found": (404, "There is no such thing"),
    "format_not_available": (404, "This answer has no such format"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "conflict": (409, "The state forbids it"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body must be JSON"),
    "invalid_parameter": (422, "A parameter cannot be accepted"),
    "unknown_parameter": (422, "A parameter is not known"),
    "invalid_body": (422, "The body cannot be accepted"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "The service failed"),
    "login_failed": (502, "last.fm did not confirm the login"),
    "warehouse_unavailable": (503, "The warehouse cannot be read"),
    "nothing_published": (503, "No version is published yet"),
    "mart_missing": (503, "The published version lacks a table"),
    "login_not_configured": (503, "Login is not set up"),
}

_BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


class Refused(BaseModel):
    """One parameter or field that was refused."""

    name: str
    message: str


class ProblemDocument(BaseModel):
    """The body of every error, as application/problem+json."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="names the kind of problem: /problems/<code>")
    title: str
    status: int
    code: str = Field(description="stable; programs decide by it")
    detail: str
    errors: list[Refused] | None = Field(
        None, description="each refused parameter or field with the reason"
    )


class Problem(Exception):
    """Raised anywhere below a route; becomes a problem document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status, self.title = CODES[code]
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.extra = extra


def register_codes(codes: dict[str, tuple[int, str]]) -> None:
    """Add another part's codes (code -> status and title) to the closed list."""
    for code, meaning in codes.items():
        if CODES.setdefault(code, meaning) != meaning:
            raise ValueError(f"problem code {code!r} already has another meaning")


def problem_response(problem: Problem) -> Response:
    """The response of a problem."""
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": without_folders(problem.detail),
    }
    if problem.errors:
        body["errors"] = problem.errors
    body.update(problem.extra)
    response = Response(
        orjson.dumps(body), status=problem.status, mimetype="application/problem+json"
    )
    response.headers["Cache-Control"] = "no-store"
    if problem.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="scrobble"'
    response.headers.update(retry_after(problem.status, problem.extra))
    response.headers.update(problem.headers)
    return response


def retry_after(status: int, facts: Mapping[str, Any]) -> dict[str, str]:
    """The header that says when to ask again, where that may help."""
    if status not in (409, 429, 503):
        return {}
    return {"Retry-After": str(_seconds_until(facts))}


def _seconds_until(facts: Mapping[str, Any]) -> int:
    """When to ask again: at the time the refusal names, else in a moment."""
    named = facts.get("allowed_at") or facts.get("reopens_at")
    if named is None:
        return 5
    left = datetime.fromisoformat(named) - datetime.now(UTC)
    return max(1, math.ceil(left.total_seconds()))


# What other services call it -> what it is called here.
_ELSEWHERE = {
    **dict.fromkeys(("count", "size", "per_page", "page_size", "top", "max"), "limit"),
    **dict.fromkeys(("skip", "start", "page"), "offset"),
    **dict.fromkeys(("order", "order_by", "sort_by", "orderby"), "sort"),
    **dict.fromkeys(("period", "time_range"), "range"),
    **dict.fromkeys(("since", "after", "start_date", "from_date"), "from"),
    **dict.fromkeys(("until", "before", "end_date", "to_date"), "to"),
    **dict.fromkeys(("query", "search", "name"), "q"),
    **dict.fromkeys(("timezone", "time_zone", "zone"), "tz"),
}


def from_validation(error: ValidationError, known: Collection[str] = ()) -> Response:
    """The problem of parameters or a body that pydantic refused.

    `known` are the names that would have been taken: one of them may have been meant.
    """
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    refused = [
        {"name": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
        for item in errors
    ]
    unknown = [item for item in errors if item["type"] == "extra_forbidden"]
    for item, told in zip(errors, refused, strict=True):
        if item["type"] == "extra_forbidden":
            told["message"] = _hint(told["name"], known)
    in_body = request.method not in ("GET", "HEAD") and bool(request.get_data())
    if unknown:
        code = "unknown_parameter"
    else:
        code = "invalid_body" if in_body else "invalid_parameter"
    names = ", ".join(item["name"] or "body" for item in refused)
    hints = [item["message"] for item in refused if item["message"].endswith("?")]
    detail = "; ".join([f"{CODES[code][1]}: {names}", *hints])
    return problem_response(Problem(code, detail, errors=refused))


def _hint(name: str, known: Collection[str]) -> str:
    """What may have been meant by a name that nothing here has."""
    meant = _ELSEWHERE.get(name.lower())
    if meant not in known:
        meant = next(iter(difflib.get_close_matches(name, known, n=1)), None)
    if meant is not None:
        return f"did you mean {meant}?"
    if known:
        return f"not known; there are {', '.join(sorted(known))}"
    return "not known; there are none here"


def from_store(error: StoreUnavailable) -> Problem:
    """The problem of a warehouse that cannot be read now."""
    return Problem(error.code, str(error))


def install(app: Flask) -> None:
    """Turn every exception into a problem document."""

    @app.errorhandler(Problem)
    def _problem(error: Problem) -> Response:
        return problem_response(error)

    @app.errorhandler(VersionMoved)
    def _moved(error: VersionMoved) -> Response:
        request.environ[REPEATABLE] = True
        return problem_response(from_store(error))

    @app.errorhandler(StoreUnavailable)
    def _store(error: StoreUnavailable) -> Response:
        log.warning("warehouse unavailable: %s", error)
        return problem_response(from_store(error))

    @app.errorhandler(WarehouseError)
    def _installation(error: WarehouseError) -> Response:
        # Its text names files of this machine, and what its operator does.
        log.error("at %s: %s", request.path, error)
        return problem_response(
            Problem(
                "warehouse_unavailable",
                "A part of the warehouse cannot be read; its operator finds in the log"
                " what to do.",
            )
        )

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        status = error.code or 500
        if status < 400:
            return error.get_response()  # type: ignore[return-value]
        code = _BY_STATUS.get(
            status, "bad_request" if status < 500 else "internal_error"
        )
        headers = {
            name: value
            for name, value in error.get_headers()
            if name in ("Allow", "Retry-After", "Location")
        }
        detail = error.description or CODES[code][1]
        return problem_response(Problem(code, detail, headers=headers))

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        log.exception("unexpected error at %s", request.path)
        return problem_response(
            Problem("internal_error", "The service failed; the log holds the cause.")
        )
