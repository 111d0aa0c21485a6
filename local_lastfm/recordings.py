"""Recorded answers of last.fm, given again byte for byte with the status they had.

Reads a folder with a MANIFEST.tsv; nothing is parsed, mended or copied. Where a status
was not recorded it is 200.
"""

from __future__ import annotations

import csv
import re
from datetime import date
from pathlib import Path

from local_lastfm.service import parse_query
from local_lastfm.world import Recording, World

_REQUEST = re.compile(r"request ([^;]+)")
_METHOD = re.compile(r"(?:error response of|\bmethod) ([a-z]+\.[A-Za-z]+)")


class RecordingsWorld(World):
    """No world at all, only answers; see `Service` for how one is chosen."""

    name = "recordings"

    def __init__(self, folder: Path, today: date | None = None) -> None:
        super().__init__(today)
        manifest = folder / "MANIFEST.tsv"
        if not manifest.is_file():
            raise ValueError(f"no MANIFEST.tsv in {folder}")
        with manifest.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        self._recordings = [_recording(folder, row) for row in rows]

    def recordings(self) -> list[Recording]:
        return self._recordings


def _recording(folder: Path, row: dict[str, str]) -> Recording:
    path = folder / row["file"]
    notes = row.get("notes") or ""
    asked = _REQUEST.search(notes)
    params = parse_query(asked[1].strip()) if asked else {}
    method = params.pop("method", row["method"])
    if row["method"] == "errors":
        named = _METHOD.search(notes)
        method = named[1] if named else method
    else:
        method = row["method"]
    status = row.get("http_status") or ""
    is_xml = path.suffix == ".xml"
    return Recording(
        name=row["file"],
        method=method,
        status=int(status) if status.isdigit() else 200,
        content_type="text/xml; charset=UTF-8" if is_xml else "application/json",
        body=path.read_bytes(),
        params=params,
        http_status_known=status.isdigit(),
        path=path,
    )
