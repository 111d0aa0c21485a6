"""The units that the operations page tells people to write are ones systemd takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
UNIT = r"`/etc/systemd/system/(\S+)`:\n\n```ini\n(.*?)```"


def write_units(page: str, folder: Path) -> list[Path]:
    """The page's units, with a program that every machine has."""
    paths = []
    for name, body in re.findall(UNIT, page, re.DOTALL):
        paths.append(folder / name)
        body = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/sh", body)
        paths[-1].write_text(body)
    return paths


def verify(paths: list[Path]) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="this system has no systemd"
)
def test_systemd_takes_the_units_and_sees_a_mistake(tmp_path: Path) -> None:
    page = PAGE.read_text()
    units = write_units(page, tmp_path)
    assert [unit.name for unit in units] == [
        "scrobble.service",
        "scrobble.timer",
        "scrobble-alert.service",
    ]
    assert "scrobble" not in verify(units)
    wrong = write_units(page.replace("OnCalendar=", "OnCalender="), tmp_path)
    assert "OnCalender" in verify(wrong)
