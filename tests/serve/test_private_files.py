"""What the commands create is their owner's; what is answered names no folder."""

from __future__ import annotations

import io
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import flask
import pytest
from flask import Flask

from exchange.database import Database
from serve.problems import Problem
from warehouse.redact import RedactingFilter, without_folders

# What a shell of most systems gives: everybody may read.
_ASK = """
import os, sys
os.umask(0o022)
{change}
{what}
"""
_COMMAND = """
sys.argv = ["scrobble", "market", "close"]
from warehouse.cli import main
main()
"""
_SERVICE = "from serve.wsgi import build; build()"


def run(what: str, data_dir: Path, *, change: str = "") -> list[Path]:
    """Run something as a process of its own; gives what others may read of it."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK.format(what=what, change=change)],
        env={**os.environ, "DATA_DIR": str(data_dir)},
        cwd=data_dir.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = [path for path in data_dir.rglob("*") if path.is_file()]
    assert found, done.stderr
    return [path for path in (data_dir, *found) if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("what", [_COMMAND, _SERVICE], ids=["command", "service"])
def test_nobody_else_may_read_what_a_command_creates(what: str, tmp_path: Path) -> None:
    assert run(what, tmp_path / "data") == []
    # The control: it is the commands that ask for it.
    open_ones = run(what, tmp_path / "more", change="os.umask = lambda mask: 0")
    assert any(path.suffix == ".sqlite" for path in open_ones)


def test_books_that_lay_open_are_closed(tmp_path: Path) -> None:
    file = tmp_path / "exchange.sqlite"
    file.touch(0o644)
    file.chmod(0o644)
    database = Database(f"sqlite:///{file}", sync="OFF")
    database.upgrade()
    assert file.stat().st_mode & 0o077 == 0
    database.dispose()


def test_a_problem_names_no_folder_of_the_machine(
    make_service: Callable[..., Flask], data_dir: Path
) -> None:
    app = make_service()
    path = data_dir / "versions" / "x.duckdb"

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise Problem("warehouse_unavailable", f"IO error: cannot open file '{path}'")

    @app.get("/api/v1/unexpected")
    def unexpected() -> None:
        raise OSError(f"no room in {path}")

    told = app.test_client().get("/api/v1/broken").get_json()["detail"]
    assert told == "IO error: cannot open file 'versions/x.duckdb'"
    handlers = [logging.StreamHandler(io.StringIO()) for _ in range(2)]
    handlers[1].addFilter(RedactingFilter())
    logger = logging.getLogger("serve.problems")
    for handler in handlers:
        logger.addHandler(handler)
    try:
        assert app.test_client().get("/api/v1/unexpected").status_code == 500
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
    control, logged = (handler.stream.getvalue() for handler in handlers)
    assert "no room in versions/x.duckdb" in logged and "Traceback" in logged
    flask_folder = Path(flask.__file__).parents[1]
    for folder in (data_dir, Path(__file__).parents[2], flask_folder):
        assert f"{folder}/" in control, "the control"
        assert str(folder) not in logged
    assert without_folders("see /api/v1/charts") == "see /api/v1/charts"


def test_an_empty_data_folder_is_not_named(
    make_service: Callable[..., Flask], data_dir: Path
) -> None:
    shutil.rmtree(data_dir / "versions")
    (data_dir / "published.json").unlink()
    answer = make_service().test_client().get("/api/v1/charts")
    assert answer.get_json()["code"] == "nothing_published"
    assert str(data_dir) not in answer.text
