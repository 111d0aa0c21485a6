"""The description of the API as a file, for generators of clients.

``python -m serve.api.written FILE`` needs no data, no key and no server: the
description follows from the code.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from serve.settings import load_serve_settings
from warehouse.settings import load_settings


def description() -> dict[str, Any]:
    """The description (OpenAPI 3.1) of all routes, the exchange's included."""
    # The application imports the routes, and this module stands among them.
    from serve.app import create_app
    from serve.context import services

    with tempfile.TemporaryDirectory() as folder:
        own = {"data_dir": Path(folder), "warehouse_url": None}
        settings = load_serve_settings(load_settings().model_copy(update=own))
        app = create_app(settings)
        spec: dict[str, Any] = app.described  # type: ignore[attr-defined]
        with app.app_context():
            services().store.close()
            services().accounts.dispose()
    return spec


if __name__ == "__main__":
    (target,) = map(Path, sys.argv[1:])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(orjson.dumps(description(), option=orjson.OPT_INDENT_2))
