"""Every benchmark, one after the other: ``make bench``, or ``ARGS="load fetch"``.

Each prints what it measured as ratios beside a peer in the same run. A benchmark that
lacks a program says which one and the others go on.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = (
    *("fetch", "load", "build", "postgres", "days", "library", "exchange", "serve"),
    *("values", "planted", "recommendations", "slow_clients"),
)


def main() -> int:
    """Run the benchmarks named on the command line, all without names."""
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := sorted(set(wanted) - set(NAMES)):
        print(f"no benchmark {unknown[0]!r}; there are: {', '.join(NAMES)}")
        return 2
    failed = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"],
            cwd=Path(__file__).parents[1],
            check=False,
        )
        if done.returncode != 0:
            failed.append(name)
    if failed:
        print(f"\ndid not finish: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
