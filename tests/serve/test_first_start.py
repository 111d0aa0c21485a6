"""Several processes that start on an empty folder at once, as the service's do."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from threading import Barrier

from sqlalchemy import inspect

from serve.accounts.database import ensure_tables, metadata, open_accounts
from serve.settings import ServeSettings
from warehouse.settings import Settings

PROCESSES = 4
FOLDERS = 8


def open_all(folder: Path, gate: Barrier) -> None:
    for number in range(FOLDERS):
        data = Settings(data_dir=folder / str(number))
        gate.wait(timeout=60)
        ensure_tables(open_accounts(ServeSettings(warehouse=data)))


def test_the_accounts_are_there_for_every_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(PROCESSES)
    started = [
        context.Process(target=open_all, args=(tmp_path, gate))
        for _ in range(PROCESSES)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(timeout=120)
    assert [process.exitcode for process in started] == [0] * PROCESSES
    for number in range(FOLDERS):
        data = Settings(data_dir=tmp_path / str(number))
        found = inspect(open_accounts(ServeSettings(warehouse=data))).get_table_names()
        assert {table.name for table in metadata.tables.values()} <= set(found)
