"""The fetch as a step of the daily run.

Owns which days a run fetches and what it says of them. Must not start servers: whoever
calls says where last.fm is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

from ingest.lastfm.client import ROOT_URL, Client, RetryPolicy
from ingest.lastfm.fetch import FetchResult, Progress, fetch
from ingest.lastfm.plan import FetchPlan, Mode
from warehouse.plurals import plural
from warehouse.run import Run, StepResult
from warehouse.settings import Settings

DEFAULT_RATE = 4.0
NOTES_SHOWN = 10


@dataclass(frozen=True)
class Server:
    """Where last.fm is and how it is to be treated.

    `url` with ``{as_of}`` in it can be asked as of a past day, which makes missed days
    good. `rate` is in requests a second. `plan` says what is covered.
    """

    api_key: str = field(repr=False)
    plan: FetchPlan
    url: str = ROOT_URL
    rate: float = DEFAULT_RATE

    @property
    def has_clock(self) -> bool:
        """Whether past days can be asked for."""
        return "{as_of}" in self.url


def days_to_fetch(
    as_of: date, last_published: date | None, backfill_days: int, has_clock: bool
) -> list[tuple[date, Mode]]:
    """The run's own day, after the missed ones where the server can answer for them.

    A server without a clock has no snapshots of past days; the walk over scrobbles,
    which starts where the last one ended, makes up for missed days by itself.
    """
    days: list[tuple[date, Mode]] = []
    if has_clock:
        first = as_of - timedelta(days=backfill_days - 1)
        if last_published is not None:
            first = max(first, last_published + timedelta(days=1))
        missed = (as_of - first).days
        days = [(first + timedelta(days=day), "snapshot") for day in range(missed)]
    return [*days, (as_of, "full")]


def retry_policy(settings: Settings) -> RetryPolicy:
    """When a fetch gives up."""
    return RetryPolicy(
        floor=settings.lastfm_retries, wait_seconds=settings.lastfm_wait_seconds
    )


def fetch_step(run: Run, server: Server) -> StepResult:
    """Fetch and land what the run needs.

    Raises:
        FetchFailed, LeaseLost, DiskFull: as :func:`ingest.lastfm.fetch.fetch` does.
    """
    days = days_to_fetch(
        run.as_of_date,
        run.last_published,
        run.settings.backfill_days,
        server.has_clock,
    )

    def progress(now: Progress) -> None:
        info = f"{now.as_of}: {now.requests:,} requests, {now.bytes / 1e6:,.0f} MB"
        if now.retries:
            info += f", {now.retries:,} retries"
        run.reporter.advance(*share_done(days, now), info)

    results = fetch(
        days,
        plan=server.plan,
        client=Client(server.url, server.api_key),
        engine=run.engine,
        landing_root=run.landing_dir,
        run_id=run.run_id,
        rate=server.rate,
        check=run.lease.check,
        progress=progress,
        policy=retry_policy(run.settings),
    )
    notes = [note for result in results for note in result.notes]
    for note in notes[:NOTES_SHOWN]:
        run.reporter.line(f"note:     {note}")
    if len(notes) > NOTES_SHOWN:
        run.reporter.line(f"note:     and {len(notes) - NOTES_SHOWN} more")
    return summarise(results)


def share_done(days: list[tuple[date, Mode]], now: Progress) -> tuple[int, int]:
    """How much of all days is done, and of how much: thousandths of a day."""
    before = [as_of for as_of, _ in days].index(now.as_of)
    done = now.done + now.skipped + now.failed
    part = done / now.planned if now.planned else 0.0
    return round(1000 * (before + min(part, 1.0))), 1000 * len(days)


def summarise(results: list[FetchResult]) -> StepResult:
    """One sentence and the counts of all days together.

    ``planned`` and ``answered`` (done or rightly skipped) count the days' calls,
    ``requests``, ``retries`` and ``bytes`` what this run asked for.
    """
    methods: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for result in results:
        methods.update(result.methods)
        errors.update(result.errors)
        left_out.update(result.left_out)
    detail = {
        "days": len(results),
        "requests": sum(result.requests for result in results),
        "answers": sum(result.answers for result in results),
        "retries": sum(result.retries for result in results),
        "bytes": sum(result.bytes for result in results),
        "landed_bytes": sum(result.landed_bytes for result in results),
        "planned": sum(result.planned for result in results),
        "answered": sum(result.done + result.skipped for result in results)
        + left_out.total(),
        "skipped": sum(result.skipped for result in results),
        "failed": sum(result.failed for result in results),
        "methods": dict(sorted(methods.items())),
        "errors": dict(sorted(errors.items())),
        "incomplete_walks": [w for r in results for w in r.incomplete_walks],
        "private_listeners": sorted({n for r in results for n in r.private_listeners}),
        "login_needed": sorted({name for r in results for name in r.login_needed}),
        "lacking": [
            f"{lack} on {result.as_of}" for result in results for lack in result.lacking
        ],
        "left_out": dict(sorted(left_out.items())),
        "notes": [note for result in results for note in result.notes][:50],
    }
    text = (
        f"{plural(sum(r.requests for r in results), 'request')} for"
        f" {plural(len(results), 'day')},"
        f" {sum(r.bytes for r in results) / 1e6:,.1f} MB answered,"
        f" {sum(r.landed_bytes for r in results) / 1e6:,.1f} MB landed,"
        f" {detail['retries']:,} retries, {detail['skipped']:,} skipped,"
        f" {detail['failed']:,} failed"
    )
    if left_out:
        text += f"; not offered and left out: {', '.join(sorted(left_out))}"
    return StepResult(text, detail)
