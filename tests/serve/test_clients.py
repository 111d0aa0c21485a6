"""Clients that are generated from the description answer as docs/clients.md shows."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from flask import Flask
from werkzeug.serving import make_server

from serve.api.written import description
from tests.daily_runs import ROOT
from tests.serve.conftest import bearer

TEXT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SERVICE = "http://127.0.0.1:8000"
# What a client needs of npm: the generator, the compiler and what asks.
PACKAGES = ("openapi-typescript@7", "openapi-fetch@0.17", "typescript@5")


def example(language: str) -> str:
    """The example of docs/clients.md in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


@pytest.fixture(scope="session")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The description as `make client` writes it."""
    path = tmp_path_factory.mktemp("described") / "openapi.json"
    path.write_text(json.dumps(description()))
    return path


@pytest.fixture
def served(make_service: Callable[..., Flask]) -> Iterator[tuple[Flask, str]]:
    """A service with the small marts, and its address."""
    app = make_service(public_panel=True)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield app, f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="session")
def package(described: Path) -> Iterator[ModuleType]:
    """The generated Python client, imported."""
    folder = described.parent / "python"
    folder.mkdir()
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate"),
            *("--path", str(described)),
            *("--output-path", str(folder / "scrobble_client")),
            *("--meta", "none"),
            *("--config", str(plain_config(folder))),
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    # It says what it leaves out: the one answer that is no JSON.
    assert made.stderr.count("WARNING") == 1 and "feed.atom" in made.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module("scrobble_client")
    sys.path.remove(str(folder))


def plain_config(folder: Path) -> Path:
    """The generator's settings of clients/python, without formatting."""
    kept = (ROOT / "clients/python/generator.yml").read_text(encoding="utf-8")
    path = folder / "generator.yml"
    path.write_text(re.sub(r"^post_hooks:.*$", "post_hooks: []", kept, flags=re.M))
    return path


def test_the_example_of_the_python_client_runs(
    package: ModuleType,
    served: tuple[Flask, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = example("python")
    assert SERVICE in code
    exec(code.replace(SERVICE, served[1]), {})
    *artists, refused = capsys.readouterr().out.splitlines()
    assert len(artists) == 5 and refused == "not_found"


def test_every_operation_that_needs_nothing_is_parsed_into_its_class(
    package: ModuleType, served: tuple[Flask, str]
) -> None:
    app, address = served
    modules = [
        found.name
        for found in pkgutil.walk_packages(
            package.__path__, prefix=f"{package.__name__}."
        )
        if found.name.count(".") == 3 and ".api." in found.name
    ]
    assert len(modules) > 100
    token = bearer(app, "anna", "read")["Authorization"].removeprefix("Bearer ")
    client = package.AuthenticatedClient(base_url=address, token=token)
    problem = importlib.import_module("scrobble_client.models").Problem
    asked = 0
    for name in modules:
        sync = getattr(importlib.import_module(name), "sync", None)
        needed = {"client"} if sync is None else _needed(sync)
        if sync is None or needed != {"client"} or _is_write(name):
            continue
        answer = sync(client=client)
        assert answer is not None and not isinstance(answer, problem), name
        asked += 1
    assert asked >= 20


def _needed(function: Callable[..., Any]) -> set[str]:
    return {
        name
        for name, given in signature(function).parameters.items()
        if given.default is given.empty
    }


def _is_write(module: str) -> bool:
    source = importlib.import_module(module).__file__
    assert source is not None
    # The search needs a word, and the market is not open here.
    text = Path(source).read_text(encoding="utf-8")
    return '"method": "get"' not in text or ".exchange." in module


def test_the_package_asks_for_what_the_generated_code_imports(
    package: ModuleType,
) -> None:
    told = (ROOT / "clients/python/pyproject.toml").read_text(encoding="utf-8")
    (folder,) = package.__path__
    imported = {
        found
        for file in Path(folder).rglob("*.py")
        for found in re.findall(
            r"^(?:from|import) (\w+)", file.read_text(encoding="utf-8"), re.M
        )
    }
    foreign = imported - set(sys.stdlib_module_names) - {"scrobble_client"}
    names = {"attrs": "attrs", "attr": "attrs", "dateutil": "python-dateutil"}
    for name in foreign:
        assert f'"{names.get(name, name)}>=' in told, name
    assert "httpx" in foreign


@pytest.fixture(scope="session")
def node_folder(described: Path) -> Path:
    """A folder with the description as types and what the example imports."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("the TypeScript client was not tried: npm is not installed")
    folder = described.parent / "typescript"
    folder.mkdir()
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    got = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if got.returncode != 0:
        pytest.skip("the TypeScript client was not tried: npm cannot get its packages")
    subprocess.run(
        ["node_modules/.bin/openapi-typescript", str(described), "-o", "api.d.ts"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder


def compile_strictly(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Make `main.js` of TypeScript, or say what is wrong with it."""
    (folder / "main.ts").write_text(code)
    return subprocess.run(
        [
            "node_modules/.bin/tsc",
            "--strict",
            *("--target", "es2022", "--module", "nodenext"),
            *("--skipLibCheck", "--lib", "es2022,dom"),
            "main.ts",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_example_in_typescript_compiles_strictly_and_answers(
    node_folder: Path, served: tuple[Flask, str]
) -> None:
    code = example("typescript").replace(SERVICE, served[1])
    # The control: a field that the description lacks is a fault of the program.
    unknown = code.replace("found.data.data", "found.data.x")
    wrong = compile_strictly(node_folder, unknown)
    assert wrong.returncode != 0 and "'x'" in wrong.stdout
    wrong = compile_strictly(node_folder, code.replace("limit: 5", "count: 5"))
    assert wrong.returncode != 0 and "count" in wrong.stdout
    made = compile_strictly(node_folder, code)
    assert made.returncode == 0, made.stdout
    node = shutil.which("node")
    assert node is not None
    said = subprocess.run(
        [node, "main.js"],
        cwd=node_folder,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert said.returncode == 0, said.stderr
    *artists, refused = said.stdout.splitlines()
    assert len(artists) == 5 and refused == "invalid_parameter"


def test_the_service_answers_over_http_as_in_the_process(
    served: tuple[Flask, str],
) -> None:
    """The control of the fixture: what the clients ask is really a server."""
    app, address = served
    answer = httpx.get(f"{address}/api/v1/artists?limit=5")
    assert answer.content == app.test_client().get("/api/v1/artists?limit=5").data
