"""Accounts: /login, /logout, /api/v1/account, /api/v1/jobs, /api/v1/panel."""

from __future__ import annotations

import hmac
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from serve.accounts import (
    Account,
    change_visibility,
    csrf_token,
    export,
    forget_answers,
    login,
    require,
    require_fresh,
    require_in_person,
    store,
)
from serve.accounts.current import COOKIE, HERE_COOKIE, session_secret, signer
from serve.answers import account_answer, asked_format
from serve.api.description import Row, operation_id, own
from serve.api.parameters import (
    Nothing,
    Parameters,
    Text,
    Whole,
    ZoneName,
    chosen_zone,
)
from serve.context import reading, services
from serve.jobs import store as jobs
from serve.problems import Problem
from serve.queries import artists
from warehouse import uploads
from warehouse.names import name_key

Scope = Literal["read", "write", "trade", "admin"]

_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"session": []}]
api = APIBlueprint(
    "account",
    __name__,
    operation_id_callback=operation_id,
    url_prefix="/api/v1",
    abp_tags=[Tag(name="account", description="one's own account, tokens and jobs")],
    abp_security=_SECURITY,
)
browser = Blueprint("login", __name__)


class Body(BaseModel):
    """Base of request bodies."""

    model_config = ConfigDict(extra="forbid", strict=True)


def integral(value: Any) -> Any:
    """JSON has one kind of number: 90.0 is a whole one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


#: A name at another service, which may hold nearly anything; empty: none.
_ELSEWHERE = re.compile(r"(?:[^\s\x00-\x1f](?:[^\x00-\x1f]{0,126}[^\s\x00-\x1f])?)?")
AccountElsewhere = Annotated[
    str, StringConstraints(max_length=128, pattern=f"^{_ELSEWHERE.pattern}$")
]
_LISTENBRAINZ = "listenbrainz"
_LINKS_A_DAY = 10
# The parts of a long history, each by itself, and some that go wrong.
IMPORTS_A_DAY = 30


class TokenBody(Body):
    name: Annotated[
        str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]+$")
    ]
    scopes: list[Scope] = Field(min_length=1, max_length=4)
    expires_in_days: Annotated[int, Field(ge=1, le=366), BeforeValidator(integral)] = 90


class SettingsBody(Body):
    is_public: bool | None = Field(None, description="everybody may read one's lists")
    time_zone: ZoneName | None = Field(
        None, description="of one's own pages and lists, as Europe/Oslo; first UTC"
    )
    listenbrainz_account: AccountElsewhere | None = Field(
        None,
        description="one's account at ListenBrainz, fetched now and every day;"
        " empty: no longer",
    )


class TokenPath(Parameters):
    token_id: Whole = Field(ge=1, le=2**31 - 1)


class JobPath(Parameters):
    job_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class JobsQuery(Parameters):
    limit: Whole = Field(50, ge=1, le=200)
    offset: Whole = Field(0, ge=0, le=10_000)


class AccountRow(Row):
    account_id: int
    listener_id: str
    listener_name: str
    is_public: bool
    time_zone: str | None = Field(description="of one's own pages; null is UTC")
    listenbrainz_account: str | None = Field(
        description="one's account at ListenBrainz that is fetched every day"
    )
    scopes: list[str] = Field(description="of this request")
    via: Literal["cookie", "token"]
    csrf_token: str | None = Field(
        description="send as X-CSRF-Token with the session cookie's writes"
    )
    created_at: datetime
    last_login_at: datetime


class ListeningTables(Row):
    version: str
    as_of: date
    tables: dict[str, list[dict[str, Any]]] = Field(description="rows by mart")


class ExportDocument(Row):
    made_at: datetime
    account: dict[str, list[dict[str, Any]]] = Field(description="rows by table")
    exchange: dict[str, list[dict[str, Any]]] | None = Field(
        None, description="the player's rows by table, where there is an exchange"
    )
    listening: ListeningTables | None = Field(description="null before a version is")
    answers_kept_days: int | None = Field(
        description="what last.fm answered is kept word for word for so many days"
    )


class TokenRow(Row):
    token_id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenRow(TokenRow):
    token: str = Field(description="shown this once")


class Everywhere(Row):
    sessions_ended: int
    tokens_revoked: int


class Done(Row):
    is_done: bool


class JobRow(Row):
    job_id: str
    kind: str
    listener_name: str
    subject: str | None = Field(
        description="the artist asked for, the account elsewhere, or a name and, on a"
        " line of its own, what it is for everybody"
    )
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress_pct: float | None
    done: int
    total: int | None
    counts: dict[str, int]
    error: str | None
    is_cancel_requested: bool
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@api.get("/account", responses=own(AccountRow))
def account(query: Nothing) -> Response:
    """Who one is, with which rights."""
    return account_answer(_account_row(require("read")))


@api.patch("/account", responses=own(AccountRow))
def change_account(query: Nothing, body: SettingsBody) -> Response:
    """Choose one's time zone or ListenBrainz account; make lists public or private.

    To make them public, a browser must have just logged in.
    """
    asking = require_fresh("write", "/me") if body.is_public else require("write")
    if body.time_zone is not None:
        zone = chosen_zone(body.time_zone)
        store.set_time_zone(services().accounts, asking.account_id, zone.name)
    if body.listenbrainz_account is not None:
        link_listenbrainz(asking, body.listenbrainz_account)
    if body.is_public is not None:
        change_visibility(asking.account_id, body.is_public)
    return account_answer(_account_row(asking))


@api.delete("/account", responses=own(Done))
def delete_account(query: Nothing) -> Response:
    """Delete the account and all that is kept of its listener.

    In a browser, just logged in. The account is gone at once, what last.fm answered
    with the next daily run; until then nobody reads it.
    """
    asking = require_fresh("write", "/me")
    store.delete_account(services().accounts, asking, services().leaving)
    forget_answers()
    response = account_answer({"is_done": True})
    response.delete_cookie(COOKIE)
    response.delete_cookie(HERE_COOKIE)
    return response


@api.get("/account/export", responses=own(ExportDocument))
def export_account(query: Nothing) -> Response:
    """Everything that is kept about oneself, as one JSON document."""
    asking = require("read")
    if asked_format() != "json":
        raise Problem("format_not_available", "this answer is JSON only")
    file = export.write(services(), asking)
    response = Response(export.chunks(file), mimetype="application/json")
    response.call_on_close(file.close)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = 'attachment; filename="scrobble.json"'
    return response


@api.get("/account/tokens", responses=own(list[TokenRow], name="TokenList"))
def tokens(query: Nothing) -> Response:
    """One's tokens, without their secrets."""
    asking = require("read")
    return account_answer(store.list_tokens(services().accounts, asking.account_id))


@api.post("/account/tokens", responses=own(NewTokenRow, 201))
def make_token(query: Nothing, body: TokenBody) -> Response:
    """Make a bearer token; its text is shown this once."""
    asking = require_in_person("write")
    missing = sorted(scope for scope in body.scopes if scope not in asking.scopes)
    if missing:
        raise Problem("forbidden", f"this account may not have {', '.join(missing)}")
    made = store.make_token(
        services().accounts,
        asking.account_id,
        name=body.name,
        scopes=body.scopes,
        days=body.expires_in_days,
    )
    if made is None:
        raise Problem("conflict", f"there are {store.MAX_TOKENS} tokens; revoke one")
    return account_answer(made, 201)


@api.delete("/account/tokens/<int:token_id>", responses=own(Done))
def revoke_token(path: TokenPath, query: Nothing) -> Response:
    """Revoke one of one's tokens."""
    asking = require("write")
    if not store.revoke_token(services().accounts, asking.account_id, path.token_id):
        raise Problem("not_found", "you have no such token")
    return account_answer({"is_done": True})


@api.post("/account/logout-everywhere", responses=own(Everywhere))
def log_out_everywhere(query: Nothing) -> Response:
    """End all sessions and revoke all tokens."""
    asking = require("write")
    ended = store.log_out_everywhere(services().accounts, asking.account_id)
    response = account_answer(ended)
    response.delete_cookie(COOKIE)
    response.delete_cookie(HERE_COOKIE)
    return response


@api.post("/panel", responses={**own(JobRow, 202), **own(JobRow, 200)})
def join_panel(query: Nothing) -> Response:
    """Add oneself to the panel: fetches the whole library as a background job."""
    asking = require("write")
    if store.is_leaving(services().accounts, asking.listener_id):
        raise Problem(
            "conflict",
            "what was kept of you is still being deleted; ask after the next daily run",
        )
    job, is_new = services().jobs.start(
        asking.account_id, "fetch_listener", asking.listener_name
    )
    headers = {"Location": f"/api/v1/jobs/{job['job_id']}"}
    return account_answer(job, 202 if is_new else 200, headers)


class ArtistBody(Body):
    artist: Text = Field(description="name of an artist that nobody has listed")


@api.post("/account/artists", responses={**own(JobRow, 202), **own(JobRow, 200)})
def ask_for_artist(query: Nothing, body: ArtistBody) -> Response:
    """Ask for an artist that nobody has listed: a job fetches it from last.fm.

    The artist has a page with the next daily run, and a row each day from then on.
    """
    job, is_new = request_artist(require("write"), body.artist)
    headers = {"Location": f"/api/v1/jobs/{job['job_id']}"}
    return account_answer(job, 202 if is_new else 200, headers)


def request_artist(asking: Account, artist: str) -> tuple[dict[str, Any], bool]:
    """The job that fetches an artist, and whether it is new.

    Raises:
        Problem: the artist is there, the name cannot be, or the day's are used up.
    """
    name = " ".join(artist.split())
    if not name_key(name):
        raise Problem("bad_request", "say the artist's name")
    with reading() as reader:
        known = artists.followed(reader, name=name)
    if known is not None:
        raise Problem("conflict", f"{name} is followed already: /artists/{known}")
    most = services().settings.artist_requests
    used_up = f"{most} artists were asked for in 24 hours; ask again later"
    return _start_counted(asking, "fetch_artist", name, most, used_up)


def start_import(asking: Account) -> None:
    """Start the job that lands the file which was handed in.

    Raises:
        Problem: the day's are used up; the file is deleted.
    """
    used_up = f"{IMPORTS_A_DAY} files were handed in in 24 hours; do so again later"
    try:
        _start_counted(asking, "import_history", None, IMPORTS_A_DAY, used_up)
    except Problem:
        uploads.discard(services().settings.data_dir, [asking.listener_id])
        raise


def _start_counted(
    asking: Account, kind: str, subject: str | None, most_a_day: int, used_up: str
) -> tuple[dict[str, Any], bool]:
    """The job about the subject, and whether it is new.

    Raises:
        Problem: `used_up`, the account has started so many in 24 hours.
    """
    try:
        return services().jobs.start(
            asking.account_id,
            kind,
            asking.listener_name,
            subject=subject,
            most_a_day=most_a_day,
        )
    except jobs.QuotaUsed:
        raise Problem("conflict", used_up) from None


def listenbrainz_account(asking: Account) -> str | None:
    """One's account at ListenBrainz, where one has named it."""
    return store.linked(services().accounts, asking.listener_id, _LISTENBRAINZ)


def link_listenbrainz(asking: Account, account: str) -> None:
    """Name one's account at ListenBrainz and start fetching it; empty takes it back.

    Whether it exists is found out by the job.

    Raises:
        Problem: there can be no such account, or the day's fetches are used up.
    """
    if not _ELSEWHERE.fullmatch(account):
        raise Problem("invalid_parameter", "no account at ListenBrainz is named so")
    shared = services()
    if account:
        if store.is_leaving(shared.accounts, asking.listener_id):
            raise Problem("conflict", "what is kept of you is still being deleted")
        used_up = f"{_LINKS_A_DAY} accounts were named in 24 hours; do so again later"
        _start_counted(asking, "fetch_listens", account, _LINKS_A_DAY, used_up)
    store.set_linked(shared.accounts, asking, _LISTENBRAINZ, account or None)


@api.get("/jobs", responses=own(list[JobRow], name="JobList"))
def list_jobs(query: JobsQuery) -> Response:
    """One's jobs, newest first."""
    asking = require("read")
    return account_answer(
        jobs.of_account(
            services().accounts,
            asking.account_id,
            limit=query.limit,
            offset=query.offset,
        )
    )


@api.get("/jobs/<job_id>", responses=own(JobRow))
def job(path: JobPath, query: Nothing) -> Response:
    """One of one's jobs: state, progress, counts, error."""
    asking = require("read")
    return account_answer(
        _job(jobs.find(services().accounts, asking.account_id, path.job_id))
    )


@api.post("/jobs/<job_id>/cancel", responses=own(JobRow))
def cancel_job(path: JobPath, query: Nothing) -> Response:
    """Cancel one of one's jobs."""
    return account_answer(cancel_own_job(require("write"), path.job_id))


def cancel_own_job(asking: Account, job_id: str) -> dict[str, Any]:
    """The job, cancelled; a file that was handed in for it is deleted.

    Where it runs already, the job itself deletes the file.

    Raises:
        Problem: there is no such job of the account.
    """
    shared = services()
    found = _job(jobs.cancel(shared.accounts, asking.account_id, job_id))
    if found["kind"] == "import_history" and not is_importing(asking):
        uploads.discard(shared.settings.data_dir, [asking.listener_id])
    return found


def is_importing(asking: Account) -> bool:
    """Whether a file of the account waits for its job, or is read."""
    newest = jobs.of_account(services().accounts, asking.account_id, limit=50, offset=0)
    return any(
        job["kind"] == "import_history" and job["state"] in jobs.ACTIVE
        for job in newest
    )


@browser.get("/login")
def begin() -> Any:
    """Send the browser to last.fm; `back` is the page it returns to."""
    shared = services()
    if not login.is_configured(shared.settings):
        login.address(shared.settings, "", "")  # raises, naming the settings
    signed = login.sign_state(
        shared.signing_key,
        store.begin_login(shared.accounts),
        request.args.get("back"),
    )
    address = login.address(shared.settings, _public("/login/callback"), signed)
    response = redirect(address, 303)
    response.set_cookie(
        login.STATE_COOKIE,
        store.digest(signed),
        max_age=login.STATE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=_is_https(),
        path="/login",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@browser.get("/login/callback")
def callback() -> Any:
    """Come back from last.fm: state checked and used up, token exchanged, logged in."""
    shared = services()
    signed, token = request.args.get("state", ""), request.args.get("token", "")
    if not token or len(token) > 200:
        raise Problem("invalid_parameter", "last.fm sent no token")
    state, page = login.read_state(shared.signing_key, signed)
    cookie = request.cookies.get(login.STATE_COOKIE, "")
    if not hmac.compare_digest(cookie.encode(), store.digest(signed).encode()):
        raise Problem(
            "forbidden", "the login was begun in another browser; log in again"
        )
    if not store.use_login(shared.accounts, state):
        raise Problem("forbidden", "this login was used before or is too old")
    name, registered_uts = login.listener_of(shared.settings, token)
    try:
        secret = store.log_in(
            shared.accounts,
            name,
            days=shared.settings.session_days,
            registered_uts=registered_uts,
            ends=session_secret(),
        )
    except store.NameReleased:
        raise Problem(
            "forbidden",
            f"the last.fm name {name} was registered anew since there is an account of"
            " that name here, which is somebody else's; ask the operator",
        ) from None
    if shared.settings.public_panel:
        forget_answers()  # a new account is private
    response = redirect(page, 303)
    response.set_cookie(
        COOKIE,
        str(signer("session").dumps(secret)),
        max_age=shared.settings.session_days * 86400,
        httponly=True,
        samesite="Lax",
        secure=_is_https(),
    )
    response.set_cookie(
        HERE_COOKIE,
        "1",
        max_age=shared.settings.session_days * 86400,
        samesite="Lax",
        secure=_is_https(),
    )
    response.delete_cookie(login.STATE_COOKIE, path="/login")
    response.headers["Cache-Control"] = "no-store"
    return response


@browser.post("/logout")
def log_out() -> Any:
    """End this browser's session."""
    asking = require("read")
    if asking.via != "cookie":
        raise Problem("bad_request", "a token is revoked at /api/v1/account/tokens")
    store.log_out(services().accounts, asking)
    response = redirect("/", 303)
    response.delete_cookie(COOKIE)
    response.delete_cookie(HERE_COOKIE)
    return response


def _account_row(asking: Account) -> dict[str, Any]:
    row = store.account_row(services().accounts, asking.account_id)
    if row is None:
        raise Problem("unauthenticated", "the account was deleted")
    return {
        **row,
        "listenbrainz_account": listenbrainz_account(asking),
        "scopes": [scope for scope in store.SCOPES if scope in asking.scopes],
        "via": asking.via,
        "csrf_token": csrf_token(asking),
    }


def _job(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        raise Problem("not_found", "you have no such job")
    return found


def _public(path: str) -> str:
    public = services().settings.public_url
    root = public.rstrip("/") if public else request.host_url.rstrip("/")
    return root + path


def _is_https() -> bool:
    public = services().settings.public_url
    return urlsplit(public).scheme == "https" if public else request.is_secure


__all__ = ["api", "browser"]
