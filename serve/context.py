"""What the routes of one application share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import current_app

from serve.cache import Cache
from serve.settings import ServeSettings
from serve.store.contract import Reader, Store

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from serve.jobs.queue import Jobs


@dataclass
class Services:
    """Built once by the factory; reached with :func:`services`."""

    settings: ServeSettings
    store: Store
    signing_key: str
    accounts: Engine
    jobs: Jobs
    cache: Cache = field(init=False)


def services() -> Services:
    """The services of the application that answers now."""
    return cast(Services, current_app.extensions["serve"])


@contextmanager
def reading() -> Iterator[Reader]:
    """One transaction on the published version."""
    with services().store.read() as reader:
        yield reader
