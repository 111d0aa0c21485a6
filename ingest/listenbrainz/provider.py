"""ListenBrainz as a provider: the histories of the accounts that are named.

The settings name them, and listeners do so themselves on their page. Owns who is asked
for and what a run says of it. An account that gives nothing never ends the day: it is
left out, said so, and asked again by the next run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Engine

from ingest.lastfm.servers import one_server
from ingest.lastfm.step import retry_policy
from ingest.listenbrainz import walk as walking
from ingest.listenbrainz.client import ROOT_URL, AccountLeftOut, Client, ServerGivenUp
from ingest.listenbrainz.recipe import RECIPE
from ingest.provider import Provider
from warehouse.errors import SettingsError
from warehouse.forgetting import left_out
from warehouse.linked_accounts import named
from warehouse.names import name_key
from warehouse.run import Run, StepResult
from warehouse.settings import Settings

# A listener's name, and that of an account at ListenBrainz, which may hold anything.
_PAIR = re.compile(r"([A-Za-z0-9_:-]{1,64})=(\S(?:.{0,126}\S)?)")


def pairs(listed: tuple[str, ...]) -> list[tuple[str, str]]:
    """Listener and account of each ``listener=account``.

    Raises:
        SettingsError: one of them is none.
    """
    found = []
    for one in listed:
        match = _PAIR.fullmatch(one)
        if match is None:
            raise SettingsError(
                f"listenbrainz_accounts holds {one!r}, which is not like"
                " listener=account"
            )
        found.append((match[1], match[2]))
    return found


def accounts(settings: Settings, engine: Engine) -> list[tuple[str, str]]:
    """Listener and account of everybody who is named, each pair once.

    Raises:
        SettingsError: the settings name no accounts in their form.
    """
    found = [
        *pairs(settings.listenbrainz_accounts),
        *named(settings, engine, PROVIDER.name),
    ]
    if not found:
        return []
    is_left_out = left_out(settings, engine)
    once: dict[tuple[str, str], tuple[str, str]] = {}
    for listener, account in found:
        once.setdefault((name_key(listener), account.casefold()), (listener, account))
    return [pair for pair in once.values() if not is_left_out(pair[0])]


@contextmanager
def opened(settings: Settings) -> Iterator[Client]:
    """A client of the server the settings mean: where nothing names a last.fm, ours."""
    with ExitStack() as stack:
        url = settings.listenbrainz_url
        if url is None and not (settings.lastfm_url or settings.lastfm_api_key):
            local, _ = stack.enter_context(one_server(settings, lambda _line: None))
            url = local.removesuffix("/2.0/")
        token, policy = settings.listenbrainz_token, retry_policy(settings)
        yield stack.enter_context(Client(url or ROOT_URL, token, policy))


def fetch(run: Run) -> StepResult:
    """Land what is new of each account that is named.

    Raises:
        SettingsError: the settings name no accounts in their form.
        LeaseLost, DiskFull: as :func:`ingest.listenbrainz.walk.walk` does.
    """
    asked = accounts(run.settings, run.engine)
    if not asked:
        return StepResult("", {})
    with opened(run.settings) as client:
        return fetch_accounts(run, client, asked)


def fetch_accounts(
    run: Run, client: Client, asked: Sequence[tuple[str, str]]
) -> StepResult:
    """Land what is new of each account; the listener is the first of each pair."""
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
