"""``scrobble sql`` and ``scrobble export``: the published version for analysts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import sqlparse
from sqlparse import lexer
from sqlparse import tokens as tokens_of

from warehouse import command_help
from warehouse.errors import WarehouseError
from warehouse.plurals import plural
from warehouse.published import query_published
from warehouse.rows_out import FORMS, write
from warehouse.settings import Settings, settings_options, take_settings

_COLUMNS = """
    select table_name, column_name, data_type
    from information_schema.columns
    where table_schema = 'marts' order by table_name, ordinal_position
"""
_HELP = """\
End a statement with ; — it may go over lines. Other lines:
  .tables            the marts
  .schema MART       its columns and types
  .format FORM       how answers are written: {forms}
  .quit              (or Ctrl-D) the end"""


@click.command(cls=command_help.Command)
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice([*FORMS, "parquet"]),
    help="how rows are written; a table on a terminal, else tsv",
)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write into this file",
)
@settings_options
def sql(query: str | None, form: str | None, file: Path | None, **options: Any) -> None:
    """Ask the published version, read-only; without QUERY, statement after statement.

    QUERY may hold several statements; without it they are read from the standard input,
    on a terminal with history and completion.
    """
    shell = _Shell(take_settings(options), form, file)
    if query is not None:
        shell.run(query)
    elif sys.stdin.isatty():
        shell.talk()
    else:
        shell.read(sys.stdin)


class _Shell:
    """Statements against one warehouse, and how their answers are written."""

    def __init__(self, settings: Settings, form: str | None, file: Path | None) -> None:
        self._settings = settings
        is_terminal = sys.stdout.isatty() and file is None
        self._form = form or ("table" if is_terminal else "tsv")
        self._file = file
        self._width = shutil.get_terminal_size().columns if is_terminal else 0

    def run(self, text: str) -> None:
        """Run every statement of a text, in its order."""
        for statement in sqlparse.split(text, strip_semicolon=True):
            if statement.strip():
                names, rows = query_published(self._settings, statement)
                write(self._form, names, rows, self._file, self._width)

    def read(self, lines: Iterator[str] | Any) -> None:
        """Statements and dot lines of a file; the first error ends it."""
        held = ""
        for line in lines:
            if not held.strip() and line.startswith("."):
                self._dot(line.split())
                continue
            held += line
            if _is_ended(held):
                self.run(held)
                held = ""
        self.run(held)

    def talk(self) -> None:
        """Statements of a person at a terminal; an error is told and goes on."""
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory

        history = self._settings.data_dir / "sql_history"
        session: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)),
            completer=WordCompleter(self._words(), ignore_case=True),
            complete_while_typing=False,
        )
        click.echo(".help says what else there is")
        held = ""
        while True:
            try:
                line = session.prompt("scrobble> " if not held else "     ...> ")
            except KeyboardInterrupt:
                held = ""
                continue
            except EOFError:
                return
            if not held and line.startswith("."):
                if line.split()[0] in (".quit", ".exit"):
                    return
                self._tell(lambda line=line: self._dot(line.split()))
                continue
            held += line + "\n"
            if _is_ended(held):
                self._tell(lambda text=held: self.run(text))
                held = ""

    def _tell(self, action: Any) -> None:
        try:
            action()
        except WarehouseError as error:
            click.echo(f"error: {error}", err=True)

    def _dot(self, words: Sequence[str]) -> None:
        match words:
            case [".tables"]:
                names = dict.fromkeys(row[0] for row in self._columns())
                write(self._form, ["mart"], [(n,) for n in names], None, self._width)
            case [".schema", mart]:
                found = [row[1:] for row in self._columns() if row[0] == mart]
                if not found:
                    raise WarehouseError(f"there is no mart {mart}; .tables lists them")
                write(self._form, ["column", "type"], found, None, self._width)
            case [".format", form] if form in FORMS:
                self._form = form
            case [".help"]:
                click.echo(_HELP.format(forms=", ".join(FORMS)))
            case _:
                raise WarehouseError(
                    f"{' '.join(words)!r} is not known here; .help lists what is"
                )

    def _columns(self) -> list[tuple[Any, ...]]:
        return query_published(self._settings, _COLUMNS)[1]

    def _words(self) -> list[str]:
        keywords = "select from where group by order limit join using left distinct"
        names = {name for row in self._columns() for name in row[:2]}
        return [*sorted(names), *keywords.split(), ".tables", ".schema", ".format"]


def _is_ended(text: str) -> bool:
    """Whether a text ends with the `;` of a statement, not one inside a string."""
    tokens = [
        (kind, value)
        for kind, value in lexer.tokenize(text)  # type: ignore[no-untyped-call]
        if kind not in tokens_of.Whitespace and kind not in tokens_of.Comment
    ]
    # The sign of a string that is still open is an error of its own.
    is_open = any(kind in tokens_of.Error for kind, _ in tokens)
    return bool(tokens) and not is_open and tokens[-1][1] == ";"


@click.command(cls=command_help.Command)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--mart", "marts", multiple=True, help="only this one; may be repeated")
@settings_options
def export(folder: Path, marts: tuple[str, ...], **options: Any) -> None:
    """Write the marts of the published version into FOLDER as Parquet files.

    Each file carries the descriptions of its mart and columns in its metadata.
    """
    from warehouse.export import export_marts

    for made in export_marts(take_settings(options), folder, marts):
        click.echo(
            f"{made.path}: {plural(made.rows, 'row')}, {made.bytes / 1e6:,.1f} MB"
        )
