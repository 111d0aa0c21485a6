"""SQL in the browser, on the marts that everybody may see: one question, one table."""

from __future__ import annotations

import atexit
import csv
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, request, send_file
from markupsafe import Markup
from pydantic import BaseModel, Field

from serve.answers import csv_cell
from serve.cache import PUBLIC
from serve.context import reading, services
from serve.pages import formatting
from serve.pages.site import Figure, asked, page, takes
from serve.pages.site import Table as Rows
from serve.problems import Problem
from warehouse import public_marts

SECONDS = 5.0
SHOWN_ROWS = 200
CSV_ROWS = 50_000
EXAMPLE = """\
select artist_name, count(*) as weeks, min(position) as best
from fct_chart_positions
where chart = 'panel_artists' and period = 'week'
group by artist_name
order by weeks desc, best
limit 20"""


class SqlQuery(BaseModel):
    """A question in SQL."""

    query: str | None = Field(None, max_length=10_000, description="one statement")


def is_offered(app: Flask) -> bool:
    """Whether the service answers SQL: where it is set, or nobody else reaches it."""
    settings = app.extensions["serve"].settings
    if settings.sql is not None:
        return bool(settings.sql)
    return bool(settings.is_for_oneself)


def add_routes(pages: Blueprint, app: Flask) -> None:
    """`/sql`, where it is offered: the page, an answer as CSV, and the file."""
    if not is_offered(app):
        return
    pages.get("/sql")(sql)
    pages.get("/sql.csv")(sql_csv)
    pages.get("/sql/file")(sql_file)


def _file() -> Path:
    settings = services().settings
    folder = settings.run_dir or _own_folder(settings.data_dir)
    return public_marts.bring(settings.warehouse, folder)


@cache
def _own_folder(data_dir: Path) -> Path:
    """Where the file is kept by a service that was given no folder; gone at its end.

    For each warehouse its own: two in one process may have versions of one name.
    """
    del data_dir
    folder = tempfile.mkdtemp(prefix="scrobble-sql-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@takes(SqlQuery)
def sql() -> Response:
    """The form, the tables with their columns, and the answer."""
    query = asked(SqlQuery).query
    file = _file()
    answer, problem = None, None
    if query is not None:
        try:
            answer = _answer(file, query)
        except public_marts.Refused as error:
            problem = str(error)
    with reading() as reader:
        response = page(
            "sql.html",
            reader.published,
            query=query or EXAMPLE,
            answer=answer,
            problem=problem,
            marts=public_marts.columns(file),
            seconds=SECONDS,
            megabytes=f"{file.stat().st_size / 1e6:.0f}",
        )
    return _unkept(response)


def _answer(file: Path, query: str) -> Figure:
    found = public_marts.ask(file, query, seconds=SECONDS, rows=SHOWN_ROWS)
    numeric = {
        index
        for index in range(len(found.columns))
        if any(_is_number(row[index]) for row in found.rows)
    }
    says = formatting.plural(len(found.rows), "row")
    if found.is_cut:
        says = f"The first {says}; the CSV has up to {formatting.number(CSV_ROWS)}."
    return Figure(
        key="answer",
        title="Answer",
        summary=says,
        picture=Markup(""),
        table=Rows(
            found.columns,
            [["" if v is None else str(v) for v in row] for row in found.rows],
            frozenset(numeric),
        ),
        csv=formatting.address("/sql.csv", query=query),
        empty="No row answers this question.",
        has_open_table=True,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


@takes(SqlQuery)
def sql_csv() -> Response:
    """The answer as CSV, whole up to `CSV_ROWS` rows."""
    query = asked(SqlQuery).query
    if query is None:
        raise Problem("invalid_parameter", "query: the statement is missing")
    try:
        found = public_marts.ask(_file(), query, seconds=SECONDS, rows=CSV_ROWS)
    except public_marts.Refused as error:
        raise Problem("invalid_parameter", f"query: {error}") from None
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(found.columns)
    writer.writerows(map(csv_cell, row) for row in found.rows)
    response = Response(out.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="answer.csv"'
    return _unkept(response)


def sql_file() -> Response:
    """The file with all that can be asked here, named by its version."""
    file = _file()
    return _unkept(send_file(file, as_attachment=True, download_name=file.name))


def _unkept(response: Response) -> Response:
    """Each question is another answer: none is worth its place in the cache."""
    request.environ.pop(PUBLIC, None)
    response.headers["Cache-Control"] = "no-store"
    return response
