"""What all pages share: the blueprint, answers, figures, problems, light and dark.

A public page is the same for everybody, so the cache in front keeps it: who is logged
in and whether it is dark never changes its bytes. The choice of light or dark is a
cookie that only `/theme.css` reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
)
from markupsafe import Markup
from pydantic import BaseModel, ValidationError

from serve import answers
from serve.accounts import current_account
from serve.cache import PUBLIC
from serve.context import services
from serve.pages import cards, drawing, formatting
from serve.problems import CODES, Problem
from serve.store.contract import Published

_FOLDER = Path(__file__).parent
THEME_COOKIE = "theme"
#: Pixels of the icons: of Apple's phones, then those of the manifest.
ICON_SIZES = (180, 192, 512)
_THEMES = ("light", "dark")
NAVIGATION = (
    ("/charts", "Charts"),
    ("/artists", "Artists"),
    ("/compare", "Compare"),
    ("/trends", "Trends"),
    ("/tags", "Tags"),
    ("/listeners", "Listeners"),
    ("/me", "My listening"),
    ("/about", "About"),
)

Query = TypeVar("Query", bound=BaseModel)
View = TypeVar("View", bound=Callable[..., Any])
Row = TypeVar("Row")
Cell = str | Markup


@dataclass(frozen=True)
class Table:
    """Cells ready to be shown. `numeric` names the columns set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: frozenset[int] = frozenset()
    #: Where each row stands across its picture, 0 to 1: for the readout.
    places: Sequence[float] = ()


@dataclass(frozen=True)
class Figure:
    """A picture with its words, its table and the address of the same rows as CSV."""

    key: str
    title: str
    summary: str
    picture: Markup
    table: Table
    csv: str
    embed: str | None = None
    empty: str = "There is nothing to draw yet."
    legend: Sequence[tuple[int, str]] = field(default=())
    has_open_table: bool = False


def make_pages() -> Blueprint:
    """The blueprint of one application, with what belongs to no subject."""
    pages = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    pages.context_processor(_shared)
    pages.before_request(_leave_out_unknown)
    pages.after_request(_keep_static)
    pages.get("/favicon.ico")(favicon)
    pages.get("/manifest.webmanifest")(manifest)
    pages.get("/icon-<size>.png")(icon)
    pages.get("/theme.css")(theme_css)
    pages.get("/theme/<choice>")(choose_theme)
    return pages


def page(
    template: str,
    published: Published,
    *,
    is_private: bool = False,
    **given: Any,
) -> Response:
    """A page of one version; a public one is kept by the cache."""
    body = render_template(
        template, published=published, is_private=is_private, **given
    ).encode()
    response = answers.plain(body, "text/html; charset=utf-8", published)
    if is_private:
        request.environ.pop(PUBLIC, None)
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["Vary"] = "Cookie"
    return response


def picture(published: Published, body: str) -> Response:
    """An SVG that other sites may embed, with an ETag of its own."""
    response = answers.plain(body.encode(), "image/svg+xml", published)
    response.headers["X-Embeddable"] = "1"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def takes(model: type[BaseModel], *others: str) -> Callable[[View], View]:
    """Mark a page with the parameters it knows: those of a model, and others.

    A page without this mark knows none. Any other parameter leads to the address
    without it, before anything is computed: links collect such things on their way,
    and each would be one more answer to keep.
    """

    def mark(view: View) -> View:
        view.__dict__["takes"] = _names(model) | set(others)
        return view

    return mark


def _names(model: type[BaseModel]) -> set[str]:
    return {entry.alias or name for name, entry in model.model_fields.items()}


def _known() -> set[str]:
    """The parameters of the page that is asked for."""
    view = current_app.view_functions.get(request.endpoint or "")
    known: set[str] = getattr(view, "takes", set())
    return known


def _leave_out_unknown() -> Any:
    if request.method not in ("GET", "HEAD") or request.endpoint == "pages.static":
        return None
    kept = [(name, value) for name, value in request.args.items() if name in _known()]
    if len(kept) == len(request.args):
        return None
    response = redirect(f"{request.path}?{urlencode(kept)}" if kept else request.path)
    response.headers["Cache-Control"] = "no-store"
    return response


def asked(model: type[Query], **given: Any) -> Query:
    """The query of this page, by the same model as the API's; see :func:`takes`.

    An empty field of a form counts as not given.
    """
    names = _names(model)
    assert names <= _known(), f"{request.endpoint} does not say what it takes"
    query = {name: value for name, value in request.args.items() if value.strip()}
    try:
        return model.model_validate(
            {**{k: v for k, v in query.items() if k in names}, **given}
        )
    except ValidationError as error:
        fields = ", ".join(
            f"{item['loc'][0] if item['loc'] else 'the query'}: {item['msg']}"
            for item in error.errors(include_url=False)
        )
        raise Problem("invalid_parameter", f"This cannot be shown. {fields}") from None


def pick(
    path: str,
    name: str,
    choices: Iterable[tuple[str, str]],
    chosen: str | None,
    **rest: Any,
) -> list[dict[str, Any]]:
    """Links that change one word of the address: for `picker` in the templates."""
    return [
        {
            "href": formatting.address(path, **{**rest, name: value}),
            "text": text,
            "is_chosen": value == chosen,
        }
        for value, text in choices
    ]


def counted_picker(path: str, chosen: str, **rest: Any) -> list[dict[str, Any]]:
    """Links between what counts and all plays, of what the page shows now."""
    choices = (("clean", "what counts"), ("all", "all plays"))
    return pick(path, "counted", choices, chosen, **rest)


def table(
    rows: Iterable[Row],
    *given: tuple[str, Callable[[Row], Cell], bool],
    places: Sequence[float] = (),
) -> Table:
    """A table from rows: (heading, what the cell says, whether it is a number)."""
    return Table(
        [heading for heading, _, _ in given],
        [[say(row) for _, say, _ in given] for row in rows],
        frozenset(n for n, (_, _, is_number) in enumerate(given) if is_number),
        places,
    )


@lru_cache(maxsize=64)
def _digest(name: str) -> str:
    content = (_FOLDER / "static" / name).read_bytes()
    return hashlib.blake2b(content, digest_size=6).hexdigest()


def static_file(name: str) -> str:
    """The address of a file of our own; it changes with the content."""
    return f"/static/{name}?v={_digest(name)}"


def _navigation() -> tuple[tuple[str, str], ...]:
    if "exchange" not in current_app.extensions:
        return NAVIGATION
    return (*NAVIGATION[:-1], ("/exchange", "Exchange"), NAVIGATION[-1])


def _shared() -> dict[str, Any]:
    return {
        "formatting": formatting,
        "drawing": drawing,
        "static_file": static_file,
        "navigation": _navigation(),
        "has_exchange": "exchange" in current_app.extensions,
        "has_sql": "pages.sql" in current_app.view_functions,
        "here": request.path,
        "first_page": _first_page(),
        # Never the Host that a visitor sends: the cache keeps a page for everybody.
        "public_root": (services().settings.public_url or "").rstrip("/"),
    }


def _first_page() -> str:
    """The address of this page without the rows left out before."""
    kept = [(name, value) for name, value in request.args.items() if name != "offset"]
    return f"?{urlencode(kept)}"


def _keep_static(response: Response) -> Response:
    if request.endpoint == "pages.static" and response.status_code == 200:
        is_named = request.args.get("v") is not None
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if is_named else "public, max-age=300"
        )
    return response


def favicon() -> Response:
    """For answers that are no page and so name no picture of their own."""
    return send_from_directory(_FOLDER / "static", "mark.svg", max_age=86400)


def manifest() -> Response:
    """What a phone needs to know to put the site on its home screen."""
    icons = [
        {"src": f"/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png"}
        for size in ICON_SIZES[1:]
    ]
    body = {
        "name": "Scrobble Warehouse",
        "short_name": "Scrobbles",
        "start_url": "/",
        "display": "minimal-ui",
        "background_color": "#f7f2ea",
        "theme_color": "#221d2b",
        "icons": icons,
    }
    response = jsonify(body)
    response.mimetype = "application/manifest+json"
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def icon(size: str) -> Response:
    """The site's mark as PNG, in the sizes that phones ask for."""
    if size not in map(str, ICON_SIZES):
        raise Problem("not_found", f"there are icons of {ICON_SIZES} pixels")
    response = Response(_icon(int(size)), mimetype="image/png")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


@lru_cache(maxsize=len(ICON_SIZES))
def _icon(size: int) -> bytes:
    mark = (_FOLDER / "static" / "mark.svg").read_text(encoding="utf-8")
    return cards.png(mark, size)


def theme_css() -> Response:
    """Light or dark where the reader chose; else the system decides."""
    chosen = request.cookies.get(THEME_COOKIE)
    body = ""
    if chosen in _THEMES:
        body = f":root{{color-scheme:{chosen}}}"
    marked = chosen if chosen in _THEMES else "system"
    body += f".theme-{marked}{{font-weight:600;text-decoration:none}}\n"
    response = Response(body, mimetype="text/css")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Cookie"
    return response


def choose_theme(choice: str) -> Any:
    """Keep the reader's choice and go back to where it was made."""
    if choice not in (*_THEMES, "system"):
        raise Problem("not_found", "light, dark and system are the choices")
    back = urlsplit(request.referrer or "")
    path = back.path if back.netloc == request.host else ""
    if not path.startswith("/") or path.startswith(("//", "/theme")):
        path = "/"
    elif back.query:
        path = f"{path}?{back.query}"
    response = redirect(path, 303)
    if choice == "system":
        response.delete_cookie(THEME_COOKIE)
    else:
        response.set_cookie(
            THEME_COOKIE, choice, max_age=365 * 86400, samesite="Lax", httponly=True
        )
    response.headers["Cache-Control"] = "no-store"
    return response


_ADVICE = {
    "unauthenticated": "This page is your own: log in with last.fm to see it.",
    "forbidden": "Only the owner can open this, unless it is made public.",
    "not_found": "Look for the artist by name above, or start from the charts.",
    "nothing_published": "Run `make daily` once; then this page has something to show.",
    "mart_missing": "Run `make daily` again with this version of the program.",
    "warehouse_unavailable": "Wait a moment and load the page again.",
    "rate_limited": "Wait a moment and load the page again.",
    "login_not_configured": "The operator sets the key and secret of last.fm's API.",
}


def wrap_problems(app: Flask) -> None:
    """Show a problem as a page to who asked for a page; programs keep theirs."""

    @app.after_request
    def _as_page(response: Response) -> Response:
        if response.mimetype != "application/problem+json" or not _wants_page():
            return response
        told = response.get_json(silent=True) or {}
        code = str(told.get("code", "internal_error"))
        account = None
        if code in ("unauthenticated", "forbidden"):
            account = current_account()
        if code == "unauthenticated" and account is None:
            # In words for people: they send no tokens.
            log_in_at = formatting.address("/login", back=request.path)
            told |= {"title": "Log in first", "detail": "", "log_in_at": log_in_at}
        body = render_template(
            "problem.html",
            **_shared(),
            published=None,
            is_private=True,
            status=response.status_code,
            title=told.get("title") or CODES["internal_error"][1],
            detail=told.get("detail", ""),
            advice=_ADVICE.get(code),
            log_in_at=told.get("log_in_at"),
        )
        response.set_data(body.encode())
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        return response


def _wants_page() -> bool:
    if request.path.startswith(("/api/", "/problems/", "/openapi.json")):
        return False
    accepted = request.accept_mimetypes
    if not accepted or not accepted.accept_html:
        return False
    # A program that takes anything (curl) names no text/html.
    return "text/html" in (request.headers.get("Accept") or "")
