"""The steps of the daily run that bring data in: ``fetch`` and ``load``.

Owns their order, and what refuses a day before anything is touched. Must not know how a
provider is asked or how a row is read.
"""

from __future__ import annotations

from datetime import date, timedelta

from ingest import clocks, landing
from ingest.exchange.export import export_step
from ingest.forgetting import forget_loaded
from ingest.lastfm.client import ROOT_URL, Client
from ingest.lastfm.servers import LOOPBACK, host_of
from ingest.load.load import load_step, unloaded_parts
from ingest.providers import providers
from ingest.recovery import salvage
from ingest.retention import expire_landing, require_history
from warehouse import ops
from warehouse.errors import LoadFailed, SettingsError
from warehouse.run import Run, StepResult
from warehouse.settings import missing


def ready(run: Run) -> StepResult:
    """Refuse a day that cannot be fetched, before anything is touched.

    Raises:
        SettingsError: a day is asked for that the server cannot be asked about, or the
            database's clock is ahead of the server's.
        FetchFailed: the server cannot be reached.
    """
    settings = run.settings
    if settings.lastfm_url is None and settings.lastfm_api_key is None:
        return StepResult("", {})  # our own server, started with the fetch
    url = settings.lastfm_url or ROOT_URL
    host = host_of(url)
    if settings.lastfm_api_key is None and host not in LOOPBACK:
        raise missing("lastfm_api_key", f"{host} wants a key")
    with run.engine.begin() as connection:
        before = ops.database_time(connection)
        # A run that waited past midnight for its turn still means the day it began on.
        oldest = before.date() - timedelta(days=1)
        if "{as_of}" not in url and run.as_of_date < oldest:
            raise SettingsError(
                f"{url} answers as of now, not as of {run.as_of_date}: counters of a"
                " past day are gone. Run without --as-of (the scrobbles of missed days"
                " come along), or `scrobble publish --as-of` for what has landed"
            )
    clocks.check(Client(url, "").url_of(run.as_of_date), run.engine)
    return StepResult("", {})


def fetch(run: Run) -> StepResult:
    """Fetch and land the run's day from each provider.

    What last.fm has decides whether a day is complete; the others' part is a listener's
    own, and is made good by a later day.

    Raises:
        FetchFailed: the server refused, or it cannot be reached.
    """
    _salvage(run, since=run.last_published)
    main, *others = (provider.fetch(run) for provider in providers())
    detail = dict(main.detail)
    said = [main.text]
    for provider, result in zip(providers()[1:], others, strict=True):
        if result.text:
            said.append(f"{provider.title}: {result.text}")
            detail.setdefault("providers", {})[provider.name] = result.detail
    return StepResult("; ".join(said), detail)


def _salvage(run: Run, since: date | None = None) -> bool:
    """Look at landing files that are not loaded yet; whether one was damaged.

    Args:
        since: only those of days after this one.
    """
    ops.ensure_tables(run.engine, landing.metadata)
    with run.engine.begin() as connection:
        parts = landing.list_parts(connection)
    if since is None:
        parts = unloaded_parts(run.target, parts) if run.target.is_open else parts
    else:
        parts = [part for part in parts if part.as_of_date > since]
    said = salvage(run.engine, run.settings.data_dir, parts, run.lease.check)
    for line in said:
        run.reporter.line(f"mended:   {line}")
    return bool(said)


def load(run: Run) -> StepResult:
    """Load everything landed that raw does not have, and what the exchange recorded.

    Raises:
        LoadFailed: landing files are damaged, the items do not come out, or the
            version lacks days whose landing files are gone.
    """
    require_history(run)
    expire_landing(run)
    try:
        loaded = load_step(run)
    except LoadFailed:
        if not _salvage(run):
            raise
        loaded = load_step(run)
    results = [loaded, export_step(run)]
    if run.forgets:
        results.append(forget_loaded(run))
    return StepResult(
        "; ".join(result.text for result in results if result.text),
        {name: of for result in results for name, of in result.detail.items()},
    )
