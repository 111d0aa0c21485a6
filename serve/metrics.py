"""What monitoring reads: requests of all workers, age, runs, storage, jobs.

Owns `/metrics` and its token. The figures are numbers about the machine; of people it
tells nothing but how many jobs wait.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from serve.accounts.database import jobs
from serve.context import Figure, Measure, Services
from serve.problems import Problem
from serve.settings import METRICS, ServeSettings
from serve.store.contract import StoreUnavailable
from warehouse import ops
from warehouse.errors import WarehouseError
from warehouse.journal import last_runs
from warehouse.storage import measure

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_RUN_STATES = ("running", "done", "failed", "abandoned")


def install(app: Flask, shared: Services, token: str) -> None:
    """Count what is answered, and tell who has the token."""
    registry = CollectorRegistry()
    outcomes = Counter(
        "scrobble_cache",
        "Requests by what the cache did with them",
        ["outcome"],
        registry=registry,
    )
    answered = Histogram(
        "scrobble_answer_seconds",
        "Time of computed answers by route and class of status",
        ["route", "status"],
        buckets=_BUCKETS,
        registry=registry,
    )
    children = {}

    def count(outcome: str) -> None:
        if outcome not in children:
            children[outcome] = outcomes.labels(outcome)
        children[outcome].inc()

    shared.counting.append(count)
    shared.measures.append(lambda: _of_version(shared))
    shared.measures.append(lambda: _of_jobs(shared.accounts))
    shared.measures.append(_Runs(shared))

    @app.before_request
    def _begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def _end(response: Response) -> Response:
        route = str(request.url_rule or "none")
        took = time.perf_counter() - g.get("began", time.perf_counter())
        answered.labels(route, f"{response.status_code // 100}xx").observe(took)
        return response

    @app.get("/metrics", doc_ui=False)
    def metrics() -> Response:
        """The figures in the text format of Prometheus."""
        _check(token)
        text = _requests(registry, shared.settings) + _figures(shared.measures)
        headers = {"Cache-Control": "no-store"}
        return Response(text, headers=headers, content_type=CONTENT_TYPE_LATEST)


def _check(token: str) -> None:
    """Refuse who does not have the token."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Problem("unauthenticated", "send SERVE_METRICS_TOKEN as bearer token")


def _requests(registry: CollectorRegistry, settings: ServeSettings) -> bytes:
    """What all workers of the service counted; without a run folder, this one."""
    folder = settings.run_dir and settings.run_dir / METRICS
    if folder and folder.is_dir():
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _figures(measures: Iterable[Measure]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_All(measures))
    return generate_latest(registry)


class _All(Collector):
    """Every measure; one that cannot be taken now is missing and counted."""

    def __init__(self, measures: Iterable[Measure]) -> None:
        self._measures = measures

    def collect(self) -> Iterable[Metric]:
        missing = 0
        for measured in self._measures:
            try:
                yield from [_gauge(figure) for figure in measured()]
            except (SQLAlchemyError, StoreUnavailable, WarehouseError, OSError):
                missing += 1
        meaning = "Groups of figures that cannot be read now"
        yield _gauge(Figure("missing_measures", meaning, missing))


def _gauge(figure: Figure) -> Metric:
    name = f"scrobble_{figure.name}"
    if not isinstance(figure.value, Mapping):
        return GaugeMetricFamily(name, figure.meaning, figure.value)
    family = GaugeMetricFamily(name, figure.meaning, labels=[figure.label])
    for key, value in figure.value.items():
        family.add_metric([key], value)
    return family


def _of_version(shared: Services) -> Iterable[Figure]:
    published = shared.store.published()
    age = (datetime.now(UTC).date() - published.as_of_date).days
    yield Figure("published_age_days", "Days since the published day", age)
    moment = published.published_at.replace(tzinfo=UTC).timestamp()
    yield Figure("published_timestamp_seconds", "When it was published", moment)


def _of_jobs(accounts: Engine) -> Iterable[Figure]:
    counted = select(jobs.c.state, func.count().label("jobs")).group_by(jobs.c.state)
    with accounts.connect() as connection:
        rows = {row.state: row.jobs for row in connection.execute(counted)}
    yield Figure("jobs", "Jobs that people started", rows, "state")


class _Runs:
    """The newest daily run, and how much storage is used."""

    def __init__(self, shared: Services) -> None:
        self._settings = shared.settings.warehouse
        self._engine: Engine | None = None

    def __call__(self) -> Iterable[Figure]:
        self._engine = self._engine or ops.open_to_read(self._settings)
        runs = last_runs(self._engine, 20)
        states = dict.fromkeys(_RUN_STATES, 0)
        if runs:
            states[runs[0]["state"]] = 1
        yield Figure("run", "The newest daily run: 1 at its state", states, "state")
        if done := [run for run in runs if run["state"] == "done"]:
            moment = done[0]["finished_at"].replace(tzinfo=UTC).timestamp()
            meaning = "When a daily run last ended well"
            yield Figure("run_done_timestamp_seconds", meaning, moment)
        stored = measure(self._settings, self._engine)
        yield Figure("storage_bytes", "Bytes by part", stored.bytes, "part")
        yield Figure("storage_budget_bytes", "The budget", stored.budget_bytes)
