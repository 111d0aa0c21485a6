"""About the data: how fresh, from where; the docs site; what is kept of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, g, render_template

from serve.context import reading, services
from serve.pages import drawing, formatting
from serve.pages.site import Figure, page, table
from serve.queries import about as queries
from serve.store.contract import Reader

# The docs site is one page with its scripts inside. The sandbox takes it out of this
# origin: whatever it runs, no cookie and no answer of the service is in its reach.
_DOCS_CSP = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; img-src data:; font-src data:; connect-src 'none';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
    " sandbox allow-scripts"
)


def add_routes(pages: Blueprint) -> None:
    """`/about`, `/privacy` and `/docs/`."""
    pages.get("/about")(about)
    pages.get("/privacy")(privacy)
    pages.get("/docs/")(docs)


def about() -> Response:
    """Freshness, sources, formulas, versions, credit."""
    with reading() as reader:
        return page(
            "about.html",
            reader.published,
            freshness=_freshness(reader),
            versions=_versions(),
            has_docs=_site().exists(),
        )


def privacy() -> Response:
    """What is kept about people; also where nothing is published yet."""
    settings = services().settings
    body = render_template(
        "privacy.html",
        published=None,
        is_private=False,
        landing_days=settings.warehouse.keep_landing_days,
        session_days=settings.session_days,
        idle_days=settings.session_idle_days,
        public_panel=settings.public_panel,
        imprint=settings.imprint,
    )
    response = Response(body, mimetype="text/html")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


def _freshness(reader: Reader) -> Figure:
    rows = queries.freshness(reader).records()
    as_of = reader.published.as_of_date
    stale = [
        row
        for row in rows
        if row["last_as_of_date"] is None or (as_of - row["last_as_of_date"]).days > 1
    ]
    says = f"{formatting.plural(len(rows), 'source')}; the bars show rows kept."
    if stale:
        says += f" {len(stale)} of them older than a day."
    return Figure(
        key="freshness",
        title="Sources and their freshness",
        summary=says,
        picture=drawing.bars(
            "freshness",
            "Rows by source",
            says,
            [
                (row["source"], row["rows"] or 0, formatting.number(row["rows"]))
                for row in sorted(rows, key=lambda row: -(row["rows"] or 0))[:10]
            ],
        ),
        table=table(
            rows,
            ("Source", lambda row: row["source"], False),
            (
                "Last day",
                lambda row: formatting.short_day(row["last_as_of_date"]),
                False,
            ),
            ("Fetched", lambda row: formatting.moment(row["last_fetched_at"]), False),
            ("Rows", lambda row: formatting.number(row["rows"]), True),
        ),
        csv="/api/v1/freshness.csv",
        empty="No source has been fetched yet. Run `make daily`.",
        has_open_table=True,
    )


def _versions() -> list[dict[str, Any]]:
    return services().store.versions()[:10]


def _site() -> Path:
    return services().settings.docs_site.resolve() / "index.html"


def docs() -> Response:
    """The docs site of all tables, when it has been made."""
    site = _site()
    if site.exists():
        response = Response(site.read_bytes(), mimetype="text/html")
        g.is_docs_site = True
        response.headers["Cache-Control"] = "private, no-cache"
        return response
    body = render_template(
        "no_docs.html",
        published=None,
        is_private=True,
    )
    response = Response(body, mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response


def allow_docs(app: Flask) -> None:
    """Let the docs site run its own scripts, in a sandbox."""

    @app.after_request
    def _policy(response: Response) -> Response:
        if g.get("is_docs_site", False):
            response.headers["Content-Security-Policy"] = _DOCS_CSP
        return response
