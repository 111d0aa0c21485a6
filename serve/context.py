"""What the routes of one application share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from flask import current_app, request

from serve.cache import REPEATABLE, Cache
from serve.covers import Covers, open_covers
from serve.settings import ServeSettings
from serve.store.contract import Reader, Store

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from serve.accounts.store import Account
    from serve.jobs.queue import Jobs


@dataclass(frozen=True)
class Figure:
    """A number for monitoring, or one for each value of a label."""

    name: str
    meaning: str
    value: float | Mapping[str, float]
    label: str = ""


Measure = Callable[[], Iterable[Figure]]
Keeps: TypeAlias = (
    "Callable[[Account], AbstractContextManager["
    "Iterable[tuple[str, Iterator[dict[str, Any]]]]]]"
)


@dataclass
class Services:
    """Built once by the factory; reached with :func:`services`.

    `leaving` is what other parts do, with the account, before an account is deleted;
    if one raises, nothing is deleted. `kept` is what they keep of an account, by name:
    its tables and their rows, for its owner. `measures` are the figures that parts give
    to monitoring, `counting` is told what the cache did with each request.
    """

    settings: ServeSettings
    store: Store
    signing_key: str
    accounts: Engine
    jobs: Jobs
    leaving: list[Callable[[Account], None]] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    counting: list[Callable[[str], None]] = field(default_factory=list)
    kept: dict[str, Keeps] = field(default_factory=dict)
    cache: Cache = field(init=False)
    covers: Covers = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self.covers = open_covers(
            settings.data_dir, settings.covers_url, settings.room_for_covers_mb
        )


def services() -> Services:
    """The services of the application that answers now."""
    return cast(Services, current_app.extensions["serve"])


@contextmanager
def reading() -> Iterator[Reader]:
    """One transaction on the published version."""
    can_repeat = REPEATABLE in request.environ
    with services().store.read(can_repeat=can_repeat) as reader:
        yield reader
