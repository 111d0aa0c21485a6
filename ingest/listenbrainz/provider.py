"""ListenBrainz as a provider: the histories of the accounts that the settings name.

Owns who is asked for and what a run says of it. An account that gives nothing never
ends the day: it is left out, said so, and asked again by the next run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ingest.lastfm.client import RetryPolicy
from ingest.listenbrainz import walk as walking
from ingest.listenbrainz.client import ROOT_URL, AccountLeftOut, Client, ServerGivenUp
from ingest.listenbrainz.recipe import RECIPE
from ingest.provider import Provider
from warehouse.errors import SettingsError
from warehouse.forgetting import left_out
from warehouse.run import Run, StepResult

# A listener's name, and that of an account at ListenBrainz, which may hold anything.
_PAIR = re.compile(r"([A-Za-z0-9_:-]{1,64})=(\S(?:.{0,126}\S)?)")


def pairs(named: tuple[str, ...]) -> list[tuple[str, str]]:
    """Listener and account of each ``listener=account``.

    Raises:
        SettingsError: one of them is none.
    """
    found = []
    for one in named:
        match = _PAIR.fullmatch(one)
        if match is None:
            raise SettingsError(
                f"listenbrainz_accounts holds {one!r}, which is not like"
                " listener=account"
            )
        found.append((match[1], match[2]))
    return found


def fetch(run: Run) -> StepResult:
    """Land what is new of each account that is listed.

    Raises:
        SettingsError: the settings name no accounts in their form.
        LeaseLost, DiskFull: as :func:`ingest.listenbrainz.walk.walk` does.
    """
    settings = run.settings
    if not settings.listenbrainz_accounts:
        return StepResult("", {})
    with Client(
        settings.listenbrainz_url or ROOT_URL,
        settings.listenbrainz_token,
        RetryPolicy(
            floor=settings.lastfm_retries, wait_seconds=settings.lastfm_wait_seconds
        ),
    ) as client:
        return fetch_accounts(run, client, left_out(settings, run.engine))


def fetch_accounts(
    run: Run, client: Client, is_left_out: Callable[[str], bool]
) -> StepResult:
    """Land what is new of each account; who asked to be deleted is not asked about."""
    asked = [
        pair
        for pair in pairs(run.settings.listenbrainz_accounts)
        if not is_left_out(pair[0])
    ]
    done = listens = pages = 0
    without: dict[str, str] = {}
    for number, (listener, account) in enumerate(asked, start=1):
        try:
            walked = walking.walk(
                client,
                run.engine,
                run.landing_dir,
                listener,
                account,
                run_id=run.run_id,
                as_of=run.as_of_date,
                check=run.lease.check,
            )
        except AccountLeftOut as error:
            without[listener] = str(error)
            continue
        except ServerGivenUp as error:
            without |= {name: str(error) for name, _ in asked[number - 1 :]}
            break
        done += 1
        pages += walked.pages
        listens += walked.listens
    # Of listeners, not accounts: a deletion knows what the journal says by their names.
    for listener, reason in without.items():
        run.reporter.line(f"left out: {listener} at ListenBrainz: {reason}")
    detail: dict[str, Any] = {
        "accounts": len(asked),
        "answered": done,
        "requests": client.requests,
        "retries": client.retries,
        "pages": pages,
        "listens": listens,
        "bytes": client.body_bytes,
        "left_out": [f"{name}: {reason}" for name, reason in without.items()],
    }
    text = (
        f"{listens:,} listens of {done} of {len(asked)} accounts in"
        f" {client.requests:,} requests"
    )
    if without:
        text += f", left out: {', '.join(sorted(without))}"
    return StepResult(text, detail)


PROVIDER = Provider(
    name="listenbrainz",
    title="ListenBrainz",
    fetch=fetch,
    recipes=(RECIPE,),
    tables=walking.metadata,
    forget=walking.forget,
)
