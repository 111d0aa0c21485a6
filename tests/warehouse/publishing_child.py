"""A run in a process of its own that stops at a named step until it is told to go on.

Called as ``python -m tests.warehouse.publishing_child URL DATA_DIR DAY STEP HOST
GUARDS``: publishes the small marts of DAY, says ``at STEP`` there and waits for a line.
With GUARDS ``off`` nothing checks the fence any more: the control of the tests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from tests.warehouse.small_marts import make_settings, publish_day
from warehouse import fence, mart_store, postgres_store, store
from warehouse import lease as lease_module

STEPS = (
    "leased",
    "opened",
    "sealed",
    "prepared",
    "half-written",
    "written",
    "replaced",
    "checked",
    "published",
)


def main(url: str, folder: str, day: str, step: str, host: str, guards: str) -> None:
    """Publish the day, stopping at the step."""

    def stop(name: str) -> None:
        if name == step:
            print(f"at {name}", flush=True)
            sys.stdin.readline()

    def after(owner: Any, name: str, then: Callable[[Any], str]) -> None:
        inner = getattr(owner, name)

        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = inner(*arguments, **named)
            stop(then(arguments))
            return result

        setattr(owner, name, wrapped)

    if guards == "off":

        def nothing(*_arguments: Any) -> None:
            return None

        fence.guard = nothing
        lease_module.Lease.check = nothing  # type: ignore[method-assign]
    if host != "here":
        lease_module.host_name = lambda: host
    stores = postgres_store.PostgresStore
    after(lease_module.Lease, "acquire", lambda _: "leased")
    after(stores, "open_candidate", lambda _: "opened")
    after(stores, "seal", lambda _: "sealed")
    after(
        mart_store,
        "prepare_table",
        lambda a: "prepared" if a[1].name == "totals" else "",
    )
    after(
        mart_store,
        "write_changed_rows",
        lambda a: {"dim_artists": "half-written", "totals": "written"}.get(
            a[1].name, ""
        ),
    )
    after(mart_store, "replace_views", lambda _: "replaced")
    checks = lease_module.Lease.check

    def check(self: Any, connection: Connection | None = None) -> None:
        checks(self, connection)
        stop("checked")

    lease_module.Lease.check = check  # type: ignore[method-assign]
    after(stores, "publish", lambda _: "published")
    settings = make_settings(url, Path(folder), lease_seconds=2, keep_versions=2)
    version: store.Version = publish_day(settings, int(day), f"child-{host}-{day}")
    print(f"published {version.version}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
