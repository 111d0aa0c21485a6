"""Rows of an answer as text or a file, in the form that is asked for.

Owns the forms. Values are never shortened: where a table is wider than the terminal its
rows are written one below the other.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from warehouse.errors import WarehouseError
from warehouse.plurals import plural

Names = Sequence[str]
Rows = Sequence[tuple[Any, ...]]

#: Rows of a table on a terminal; the other forms write all.
SHOWN_ROWS = 1000


def write(
    form: str, names: Names, rows: Rows, file: Path | None = None, width: int = 0
) -> None:
    """Write an answer.

    Args:
        form: a key of `FORMS`, or `parquet` with a file.
        file: where to; None for the standard output.
        width: of the terminal, in characters; 0 where there is none.

    Raises:
        WarehouseError: parquet without a file, or a file that cannot be written.
    """
    if form == "parquet":
        if file is None:
            raise WarehouseError("parquet needs --output FILE")
        _parquet(names, rows, file)
        return
    try:
        if file is None:
            FORMS[form](names, rows, sys.stdout, width)
            return
        with file.open("w", encoding="utf-8", newline="") as out:
            FORMS[form](names, rows, out, 0)
    except OSError as error:
        if file is None:
            raise
        raise WarehouseError(f"{file} cannot be written: {error.strerror}") from error


def _table(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    table = Table(*names)
    for row in rows[:SHOWN_ROWS]:
        table.add_row(*map(_text, row))
    console = Console(file=out, markup=False, highlight=False, width=1 << 20)
    needed = Measurement.get(console, console.options, table).maximum
    if width and needed > width:
        _vertical(names, rows[:SHOWN_ROWS], out, width)
    else:
        console.print(table)
    if len(rows) > SHOWN_ROWS:
        out.write(f"… {plural(len(rows), 'row')}; --format csv writes them all\n")


def _vertical(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    longest = max(map(len, names), default=0)
    for number, row in enumerate(rows, 1):
        out.write(f"-- row {number} --\n")
        for name, value in zip(names, row, strict=True):
            out.write(f"{name:>{longest}}: {_text(value)}\n")


def _csv(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)


def _tsv(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    for row in (names, *rows):
        cells = (_text(value) for value in row)
        out.write("\t".join(map(_one_line, cells)) + "\n")


def _json(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    body = [dict(zip(names, row, strict=True)) for row in rows]
    json.dump(body, out, default=str, indent=2, ensure_ascii=False)
    out.write("\n")


def _ndjson(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    for row in rows:
        named = dict(zip(names, row, strict=True))
        out.write(json.dumps(named, default=str, ensure_ascii=False) + "\n")


def _markdown(names: Names, rows: Rows, out: TextIO, width: int) -> None:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |\n"

    out.write(line(list(names)))
    out.write("|" + " --- |" * len(names) + "\n")
    for row in rows:
        out.write(line([_one_line(_text(value)) for value in row]))


def _parquet(names: Names, rows: Rows, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    try:
        pq.write_table(pa.table([pa.array(c) for c in columns], list(names)), file)
    except (OSError, pa.ArrowException) as error:
        raise WarehouseError(f"{file} cannot be written: {error}") from error


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _one_line(text: str) -> str:
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


FORMS: dict[str, Callable[[Names, Rows, TextIO, int], None]] = {
    "table": _table,
    "vertical": _vertical,
    "csv": _csv,
    "tsv": _tsv,
    "json": _json,
    "ndjson": _ndjson,
    "markdown": _markdown,
}
