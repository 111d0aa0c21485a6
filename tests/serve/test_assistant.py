"""`scrobble mcp`, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.server import MCPServer

from serve.app import create_app
from serve.assistant import Assistant, make_server
from tests.serve.conftest import bearer, close, make_settings
from tests.serve.marts import World

Ask = Callable[..., Any]


@pytest.fixture
def servers(data_dir: Path, tmp_path: Path) -> Iterator[Callable[..., MCPServer]]:
    """Makes servers on the world, with or without a token."""
    made: list[Assistant] = []

    def make(token: str | None = None) -> MCPServer:
        made.append(Assistant(make_settings(data_dir), tmp_path / "public", token))
        return make_server(made[-1])

    yield make
    for assistant in made:
        assistant.close()


def called(server: MCPServer, tool: str, **given: Any) -> tuple[bool, Any]:
    """Whether a tool refused, and what it said: JSON unless it is prose."""

    async def call() -> tuple[bool, Any]:
        async with Client(server) as client:
            result = await client.call_tool(tool, given)
            text = "".join(part.text for part in result.content)  # type: ignore[union-attr]
            return bool(result.is_error), text

    refused, text = asyncio.run(call())
    return refused, text if refused else json.loads(text)


def test_every_tool_says_that_it_only_reads(servers: Ask) -> None:
    async def listed() -> list[Any]:
        async with Client(servers()) as client:
            return list((await client.list_tools()).tools)

    tools = asyncio.run(listed())
    assert [tool.name for tool in tools] == [
        "list_questions",
        "ask_question",
        "list_marts",
        "describe_mart",
        "query_marts",
    ]
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)


def test_a_question_of_the_api_is_found_and_answered(
    servers: Ask, world: World
) -> None:
    server = servers()
    _, found = called(server, "list_questions", containing="one artist")
    assert any(entry["question"] == "artists_artist" for entry in found["questions"])
    artist = world["dim_artists"][0]
    _, answer = called(
        server,
        "ask_question",
        question="artists_artist",
        parameters={"artist_id": artist["artist_id"]},
    )
    assert answer["data"]["artist_name"] == artist["artist_name"]
    assert answer["version"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"question": "nothing"}, "list_questions tells"),
        ({"question": "artists_artist"}, "needs artist_id"),
        (
            {"question": "artists_list_artists", "parameters": {"limt": 3}},
            "not known: limt",
        ),
        (
            {"question": "artists_artist", "parameters": {"artist_id": "../../me"}},
            "",
        ),
    ],
)
def test_a_wrong_question_is_refused_with_the_way_out(
    servers: Ask, given: dict[str, Any], says: str
) -> None:
    refused, said = called(servers(), "ask_question", **given)
    assert refused and says in said and "Traceback" not in said


def test_sql_is_answered_bounded_and_reaches_nobody(servers: Ask, world: World) -> None:
    server = servers()
    refused, answer = called(
        server, "query_marts", sql="from dim_artists select artist_id", rows=2
    )
    assert not refused and len(answer["rows"]) == 2 and answer["is_cut"]
    refused, said = called(server, "query_marts", sql="from fct_scrobbles")
    assert refused and "does not exist" in said
    _, marts = called(server, "list_marts")
    assert "dim_artists" in {mart["mart"] for mart in marts["marts"]}
    assert not any(mart["mart"].startswith("listener") for mart in marts["marts"])
    _, columns = called(server, "describe_mart", mart="dim_artists")
    assert {"artist_id", "artist_name"} <= {
        column["name"] for column in columns["columns"]
    }


def test_a_private_listener_is_told_of_with_that_token_alone(
    servers: Ask, data_dir: Path
) -> None:
    given = {
        "question": "listeners_listener",
        "parameters": {"listener_name": "bert"},
    }
    app = create_app(make_settings(data_dir), parts=())
    try:
        tokens = {
            name: bearer(app, name, "read")["Authorization"].split()[1]
            for name in ("anna", "bert")
        }
    finally:
        close(app)
    for token in (None, tokens["anna"]):
        refused, said = called(servers(token), "ask_question", **given)
        assert refused and "private" in said, token
    refused, answer = called(servers(tokens["bert"]), "ask_question", **given)
    assert not refused and answer["data"]["listener_name"].casefold() == "bert"


def test_the_command_speaks_the_protocol_and_nothing_else(data_dir: Path) -> None:
    command = Path(sys.executable).with_name("scrobble")
    process = StdioServerParameters(
        command=str(command),
        args=["mcp"],
        env={"DATA_DIR": str(data_dir), "PATH": os.environ["PATH"]},
    )

    async def ask() -> str:
        async with Client(process) as client:
            answer = await client.call_tool("list_questions", {"containing": "chart"})
            return str(answer.content[0].text)  # type: ignore[union-attr]

    assert "charts_issue" in asyncio.run(asyncio.wait_for(ask(), 120))
