"""``scrobble mcp``: the published version for assistants (Model Context Protocol).

Owns the tools. They only read: the public marts by SQL, and what a GET route of the API
answers. What the API tells of a listener who is not public it tells with the token of
that listener alone, here as everywhere; SQL never does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property, wraps
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import orjson

from serve.api.words import in_words
from serve.settings import ServeSettings, load_serve_settings
from warehouse import command_help, public_marts
from warehouse.errors import SettingsError, WarehouseError
from warehouse.settings import settings_options, take_settings

if TYPE_CHECKING:
    from mcp.server import MCPServer

SECONDS = 10.0
MOST_ROWS = 1000
#: Characters of one answer of the API: more is of no use to an assistant.
MOST_CHARACTERS = 200_000
_ABOUT = """\
Facts about artists, charts, tags and listening, from a data warehouse of last.fm.
Begin with list_questions (what the API answers) or list_marts (tables for SQL in
DuckDB's dialect). Every answer is of one published day, named in it."""


class Assistant:
    """What the tools do; each answer is plain data, and each refusal an error."""

    def __init__(self, settings: ServeSettings, folder: Path, token: str | None):
        from serve.app import create_app

        self._settings = settings
        self._folder = folder
        self._app = create_app(settings, parts=("serve.api.exchange",))
        self._headers = {"Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def list_marts(self) -> dict[str, Any]:
        """The tables that SQL can ask: name and what a row is."""
        marts = public_marts.columns(self._file())
        return {
            "marts": [
                {"mart": name, "description": description}
                for name, (description, _) in marts.items()
            ]
        }

    def describe_mart(self, mart: str) -> dict[str, Any]:
        """The columns of a table: name, type, meaning."""
        marts = public_marts.columns(self._file())
        if mart not in marts:
            raise WarehouseError(f"there is no mart {mart}; list_marts tells them")
        return {"mart": mart, "columns": [asdict(column) for column in marts[mart][1]]}

    def query_marts(self, sql: str, rows: int = 100) -> dict[str, Any]:
        """Ask the tables one SQL question (DuckDB's dialect, read-only).

        At most 1000 rows and ten seconds; is_cut says that there are more rows.
        """
        file = self._file()
        answer = public_marts.ask(
            file, sql, seconds=SECONDS, rows=max(1, min(rows, MOST_ROWS))
        )
        return {
            "version": file.stem.removeprefix("scrobble-warehouse-"),
            "columns": answer.columns,
            "rows": [list(row) for row in answer.rows],
            "is_cut": answer.is_cut,
        }

    def list_questions(self, containing: str = "") -> dict[str, Any]:
        """What the API answers: name, meaning and parameters of each question.

        containing: only those whose name or meaning has this text.
        """
        questions = [
            {
                "question": name,
                "meaning": operation["summary"],
                "parameters": {
                    parameter["name"]: in_words(
                        parameter.get("description", ""),
                        parameter["schema"],
                        is_required=bool(parameter.get("required")),
                    )
                    for parameter in operation.get("parameters", ())
                    if parameter["name"] != "format"
                },
            }
            for name, (_, operation) in self._questions.items()
            if containing.casefold() in f"{name} {operation['summary']}".casefold()
        ]
        return {"questions": questions}

    def ask_question(
        self, question: str, parameters: dict[str, Any] | None = None
    ) -> Any:
        """Ask the API a question of list_questions, with its parameters."""
        questions = self._questions
        if question not in questions:
            raise WarehouseError(
                f"there is no question {question}; list_questions tells them"
            )
        path, operation = questions[question]
        given = {name: str(value) for name, value in (parameters or {}).items()}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                if (value := given.pop(parameter["name"], None)) is None:
                    raise WarehouseError(f"{question} needs {parameter['name']}")
                path = path.replace(f"{{{parameter['name']}}}", quote(value, safe=""))
        response = self._app.test_client().get(
            path, query_string=given, headers=self._headers
        )
        if response.status_code >= 400:
            raise WarehouseError(orjson.loads(response.data)["detail"])
        if len(response.data) > MOST_CHARACTERS:
            raise WarehouseError(
                f"the answer has more than {MOST_CHARACTERS:,} characters: ask with a"
                " smaller limit"
            )
        return orjson.loads(response.data)

    def close(self) -> None:
        """Give back what the service has open."""
        self._app.extensions["serve"].store.close()
        self._app.extensions["serve"].accounts.dispose()

    def tools(self) -> tuple[Callable[..., Any], ...]:
        """The tools, in the order an assistant reads them."""
        return (
            self.list_questions,
            self.ask_question,
            self.list_marts,
            self.describe_mart,
            self.query_marts,
        )

    def _file(self) -> Path:
        return public_marts.bring(self._settings.warehouse, self._folder)

    @cached_property
    def _questions(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """The API's questions by name, each with its path and description."""
        app: Any = self._app
        found = {}
        for path, item in app.described["paths"].items():
            operation = item.get("get", {})
            answers = operation.get("responses", {}).get("200", {}).get("content", {})
            if "application/json" in answers:
                found[operation["operationId"]] = (path, operation)
        return found


def make_server(assistant: Assistant) -> MCPServer:
    """The protocol's server with the assistant's tools, all of which only read.

    Raises:
        SettingsError: the extra `mcp` is not installed.
    """
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations
    except ModuleNotFoundError:
        raise SettingsError(
            "assistants need the extra: pip install 'scrobble-warehouse[mcp]'"
        ) from None

    def telling(tool: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(tool)
        def told(*arguments: Any, **named: Any) -> Any:
            try:
                return tool(*arguments, **named)
            except WarehouseError as error:
                raise ToolError(str(error)) from error

        return told

    server: MCPServer = MCPServer(
        "scrobble-warehouse",
        instructions=_ABOUT,
        version=version("scrobble-warehouse"),
        log_level="WARNING",
    )
    for tool in assistant.tools():
        server.add_tool(
            telling(tool),
            annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
            structured_output=False,
        )
    return server


@click.command("mcp", cls=command_help.Command)
@click.option(
    "--token",
    envvar="SCROBBLE_TOKEN",
    show_envvar=True,
    help="of a listener, with the scope read: what is private of that listener is told",
)
@settings_options
def command(token: str | None, **options: Any) -> None:
    """Tools for assistants on the standard streams (Model Context Protocol).

    An assistant starts this command itself; it needs the extra `mcp`.
    """
    settings = load_serve_settings(take_settings(options))
    with tempfile.TemporaryDirectory(prefix="scrobble-mcp-") as folder:
        assistant = Assistant(settings, Path(folder), token)
        try:
            make_server(assistant).run("stdio")
        finally:
            assistant.close()
