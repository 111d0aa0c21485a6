"""axe-core, the checker of accessibility, fetched from npm for a test run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

VERSION = "4.14.1"
_RUN = """
    const done = arguments[arguments.length - 1];
    axe.run(document, {resultTypes: ['violations']}).then(
        (found) => done(found.violations.map((rule) => [
            rule.id, rule.nodes.slice(0, 5).map((node) => node.html.slice(0, 150)),
        ])),
        (error) => done([['axe failed', [String(error)]]]),
    );
"""


@lru_cache(maxsize=1)
def source() -> str:
    """axe-core's script; where npm or its packages are out of reach, a test skips."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is absent: nothing checks accessibility (Debian: npm)")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", f"axe-core@{VERSION}"],
            cwd=folder,
            env={**os.environ, "npm_config_update_notifier": "false"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["no reason was said"])[-1]
            pytest.skip(f"npm gives no axe-core: {said}")
        script = Path(folder, "node_modules", "axe-core", "axe.min.js")
        return script.read_text(encoding="utf-8")


def violations(driver: Any) -> list[tuple[str, list[str]]]:
    """What axe-core finds wrong on the page that is open: rule, and where.

    The driver's scripts run beside the page's own policy.
    """
    driver.execute_script(source())
    return [(rule, nodes) for rule, nodes in driver.execute_async_script(_RUN)]
