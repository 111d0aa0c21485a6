"""Listeners: the public ones ranked, one listener's lists, and one's own.

A private listener's page is for its owner; the check is the API's own. To others it
looks like that of a listener who is not there.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, redirect, request
from markupsafe import Markup

from serve.accounts import (
    Account,
    change_visibility,
    csrf_token,
    current_account,
    forget_answers,
    login,
    named_listeners,
    require,
    require_fresh,
    store,
)
from serve.accounts.current import COOKIE
from serve.api.accounts import (
    cancel_own_job,
    is_importing,
    link_listenbrainz,
    listenbrainz_account,
    request_artist,
    start_import,
)
from serve.api.listeners import allowed
from serve.api.listening import chosen_window
from serve.api.parameters import LocalWindow, Parameters, Text, Year, chosen_zone
from serve.api.rankings import RankingQuery
from serve.api.recommendations import said_by_owner
from serve.context import reading, services
from serve.jobs import store as jobs
from serve.pages import (
    covers,
    drawing,
    formatting,
    friends,
    recommendations,
    reports,
    weekly_feed,
)
from serve.pages.listening import in_words, own_links, top_figure, window_controls
from serve.pages.listening import kept as kept_window
from serve.pages.private import opened, own_page, private_page
from serve.pages.site import Figure, asked, counted_picker, page, pick, table, takes
from serve.pages.trends import GRAINS, over_time, week_figure, year_figure
from serve.problems import Problem
from serve.queries import listeners as queries
from serve.queries import listening as windows
from serve.queries import trends
from serve.queries.listening import Listening
from serve.queries.windows import Plays
from serve.ranges import of_word
from serve.store.contract import Reader
from serve.visibility import Named
from warehouse import uploads

_SORTS = {
    "scrobbles": "scrobbles",
    "artists": "artists",
    "tracks": "tracks",
    "active_days": "active days",
    "minutes": "minutes",
    "scrobbles_per_day": "scrobbles a day",
}
_COLUMN = {"minutes": "listening_seconds"}
_JOBS_SHOWN = 10
LARGEST_UPLOAD_BYTES = 100 * 1024 * 1024
_TOP = 20


class Asked(RankingQuery):
    pass


class AskedListener(LocalWindow):
    grain: trends.Grain = "month"
    year: Year | None = None


def add_routes(pages: Blueprint) -> None:
    """`/listeners`, `/listeners/<name>`, `/me` and what one may change there."""
    pages.get("/listeners")(panel)
    pages.get("/listeners/<listener_name>")(listener)
    pages.get("/me")(me)
    pages.post("/me/panel")(join_panel)
    pages.post("/me/import")(import_history)
    pages.get("/me/artists")(wanted_artist)
    pages.post("/me/artists")(ask_for_artist)
    pages.post("/me/weekly")(make_weekly_feed)
    pages.post("/me/visibility")(choose_visibility)
    pages.post("/me/time-zone")(choose_time_zone)
    pages.post("/me/listenbrainz")(name_listenbrainz)
    pages.post("/me/delete")(delete_account)
    pages.post("/me/jobs/<job_id>/cancel")(cancel_job)


@takes(Asked)
def panel() -> Response:
    """The public listeners ranked, and the pairs closest in taste."""
    query = asked(Asked)
    with reading() as reader:
        limit, named = min(query.limit, 100), named_listeners()
        rows = queries.rankings(
            reader,
            sort=query.sort,
            direction=query.direction,
            year=query.year,
            country=query.country,
            counted=query.counted,
            named=named,
            limit=limit + 1,
            offset=query.offset,
        ).records()
        kept = {
            "year": query.year,
            "country": query.country,
            "counted": query.counted if query.counted != "clean" else None,
        }
        return page(
            "listeners.html",
            reader.published,
            query=query,
            counts=queries.counts(reader, named),
            sorts=pick("/listeners", "sort", _SORTS.items(), query.sort, **kept),
            counted=counted_picker(
                "/listeners",
                query.counted,
                **{**kept, "counted": None},
                sort=query.sort,
            ),
            ranking=_ranking(rows[:limit], query, limit),
            has_more=len(rows) > limit,
            more=formatting.address(
                "/listeners",
                sort=query.sort,
                direction=query.direction,
                **kept,
                limit=limit,
                offset=query.offset + limit,
            ),
            pairs=_pairs(reader, named),
        )


def _ranking(rows: list[dict[str, Any]], query: Asked, limit: int) -> Figure:
    measure = _COLUMN.get(query.sort, query.sort)
    if measure not in ("registered_date", "registered"):
        drawn = [
            (
                row["listener_name"],
                float(row[measure] or 0),
                formatting.number(_in_minutes(measure, row[measure])),
            )
            for row in rows[:12]
        ]
    else:
        drawn = []
    says = f"The bars show {_SORTS.get(query.sort, query.sort)}"
    says += f" in {query.year}." if query.year else " over all time."
    return Figure(
        key="ranking",
        title="Listeners",
        summary=says,
        picture=drawing.bars(
            "ranking",
            "Public listeners of the panel",
            says,
            drawn,
            links=[formatting.listener_address(name) for name, _, _ in drawn],
        ),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row["rank"]), True),
            (
                "Listener",
                lambda row: formatting.listener_link(row["listener_name"]),
                False,
            ),
            (
                "Country",
                lambda row: formatting.named(row["country"] or formatting.NOTHING),
                False,
            ),
            ("Scrobbles", lambda row: formatting.number(row["scrobbles"]), True),
            ("Artists", lambda row: formatting.number(row["artists"]), True),
            ("Tracks", lambda row: formatting.number(row["tracks"]), True),
            ("Active days", lambda row: formatting.number(row["active_days"]), True),
            ("A day", lambda row: formatting.number(row["scrobbles_per_day"], 1), True),
            (
                "Missing",
                lambda row: formatting.number(row["missing_scrobbles"]),
                True,
            ),
        ),
        csv=formatting.address(
            "/api/v1/rankings/listeners.csv",
            sort=query.sort,
            direction=query.direction,
            year=query.year,
            country=query.country,
            limit=limit,
            offset=query.offset or None,
        ),
        empty="No public listener passes these filters."
        if query.year or query.country
        else "No listener is public yet: who logs in can make the own lists public.",
        has_open_table=True,
    )


def _in_minutes(measure: str, value: float | None) -> float | None:
    if value is None or measure != "listening_seconds":
        return value
    return value / 60


def _pairs(reader: Reader, named: Named) -> Figure:
    rows = queries.pairs(
        reader, min_shared_artists=1, named=named, limit=20, offset=0
    ).records()
    says = "Pairs of public listeners by affinity, 100 % the closest."
    return Figure(
        key="pairs",
        title="Closest in taste",
        summary=says,
        picture=drawing.bars(
            "pairs",
            "Pairs by affinity",
            says,
            [
                (
                    f"{row['listener_name']} and {row['neighbour_name']}",
                    row["affinity"],
                    formatting.pct(100 * row["affinity"], 0),
                )
                for row in rows[:8]
            ],
            links=[
                formatting.listener_address(row["listener_name"]) for row in rows[:8]
            ],
        ),
        table=table(
            rows,
            ("One", lambda row: formatting.listener_link(row["listener_name"]), False),
            (
                "Other",
                lambda row: formatting.listener_link(row["neighbour_name"]),
                False,
            ),
            ("Affinity", lambda row: formatting.number(row["affinity"], 3), True),
            (
                "Shared artists",
                lambda row: formatting.number(row["shared_artists"]),
                True,
            ),
            ("Intensity", lambda row: formatting.number(row["intensity"], 3), True),
        ),
        csv="/api/v1/rankings/pairs.csv?limit=20",
        empty="A pair is shown once two public listeners share artists.",
    )


@takes(AskedListener)
def listener(listener_name: str) -> Response:
    """One listener's lists; private ones only for their owner."""
    return opened(listener_name, _listener_page)


@takes(AskedListener)
def me() -> Any:
    """One's own page; for a visitor, what logging in is good for."""
    account = current_account()
    if account is None:
        return own_page(
            "log_in.html", is_set_up=login.is_configured(services().settings)
        )
    require("read")
    with reading() as reader:
        if queries.listener(reader, account.listener_id) is not None:
            return _listener_page(reader, account.listener_id, account)
        return private_page(
            "not_yet.html",
            reader,
            account=account,
            csrf=csrf_token(account),
            jobs=_jobs(account),
            listenbrainz=listenbrainz_account(account),
        )


def make_weekly_feed() -> Response:
    """A new address of the feed of one's weeks, told this once."""
    return own_page("weekly_address.html", address=weekly_feed.new_address())


def _jobs(account: Account) -> list[dict[str, Any]]:
    return jobs.of_account(
        services().accounts, account.account_id, limit=_JOBS_SHOWN, offset=0
    )


def _listener_page(reader: Reader, listener_id: str, owner: Account | None) -> Response:
    is_public = allowed(reader, listener_id)
    found = queries.listener(reader, listener_id)
    assert found is not None  # `allowed` has looked
    query = asked(AskedListener)
    name = found["listener_name"]
    here = request.path
    root = f"/api/v1/listeners/{name}"
    as_of = reader.published.as_of_date
    window = kept_window(query)
    rest = {
        "grain": query.grain if query.grain != "month" else None,
        "year": query.year,
    }
    kept = {**window, **rest}
    listening = chosen_window(reader, listener_id, query)
    everything = Plays(of_word("all_time", as_of), listener_id=listener_id)
    said = said_by_owner(reader, listener_id)
    return private_page(
        "listener.html",
        reader,
        listener=found,
        owner=owner,
        invitation=friends.invitation_to(owner) if owner else None,
        is_public=is_public,
        csrf=csrf_token(owner) if owner else None,
        jobs=_jobs(owner) if owner else [],
        listenbrainz=listenbrainz_account(owner) if owner else None,
        lastfm=formatting.lastfm("user", name),
        window=window_controls(here, query, listening, "all_time", **rest),
        range_words=in_words(listening, query, "all_time"),
        reports=reports.newest(as_of),
        grains=pick(
            here, "grain", GRAINS.items(), query.grain, **{**kept, "grain": None}
        ),
        tops=[
            _top(reader, listening, entity, name, query)
            for entity in ("artists", "tracks", "albums", "tags")
        ],
        over_time=over_time(
            trends.by_period(
                reader,
                grain=query.grain,
                statistic="scrobbles",
                plays=everything,
                limit=10_000,
                offset=0,
            ),
            query.grain,
            "scrobbles",
            formatting.address(f"{root}/trends/{query.grain}.csv", limit=10_000),
        ),
        week=week_figure(
            trends.by_weekday_and_hour(reader, plays=everything, all_days=True),
            f"{root}/trends/week-hours.csv",
        ),
        year=year_figure(
            reader, query.year, listener_id, here, f"{root}/trends/calendar.csv", kept
        ),
        development=_development(reader, listener_id, root),
        neighbours=_neighbours(reader, listener_id, root),
        artists=recommendations.new_artists(reader, listener_id, root, said, owner),
        tracks=recommendations.new_tracks(reader, listener_id, root, said),
    )


def _top(
    reader: Reader,
    listening: Listening,
    entity: str,
    name: str,
    query: AskedListener,
) -> Figure:
    rows = windows.first_of(reader, listening, entity=entity, limit=_TOP).records()
    covers.add_to(reader, entity, rows)
    csv = f"/api/v1/listeners/{formatting.quoted(name)}/top/{entity}.csv"
    return top_figure(
        rows,
        entity,
        own_links(name, query),
        csv=formatting.address(csv, **kept_window(query)),
        has_open_table=False,
    )


def _development(reader: Reader, listener_id: str, root: str) -> Figure:
    rows = queries.development(reader, listener_id).records()
    says = "Scrobbles by year, with the artists heard for the first time."
    return Figure(
        key="development",
        title="Year by year",
        summary=says,
        picture=drawing.columns(
            "development",
            "Scrobbles by year",
            says,
            [
                (
                    str(row["year"]),
                    row["scrobbles"],
                    f"{row['year']}: {formatting.plural(row['scrobbles'], 'scrobble')},"
                    f" {formatting.plural(row['new_artists'], 'new artist')}",
                )
                for row in rows
            ],
        )
        if len(rows) > 1
        else Markup(""),
        table=table(
            rows,
            ("Year", lambda row: str(row["year"]), False),
            ("Scrobbles", lambda row: formatting.number(row["scrobbles"]), True),
            ("Artists", lambda row: formatting.number(row["artists"]), True),
            ("New artists", lambda row: formatting.number(row["new_artists"]), True),
            ("Tracks", lambda row: formatting.number(row["tracks"]), True),
        ),
        csv=f"{root}/development.csv",
        empty="A second year of listening gives this picture.",
        has_open_table=len(rows) == 1,
    )


def _neighbours(reader: Reader, listener_id: str, root: str) -> Figure:
    rows = queries.neighbours(
        reader, listener_id, named=named_listeners(), limit=10, offset=0
    ).records()
    says = "Public listeners whose taste is closest; affinity in percent."
    return Figure(
        key="neighbours",
        title="Neighbours",
        summary=says,
        picture=drawing.bars(
            "neighbours",
            "Neighbours by affinity",
            says,
            [
                (
                    row["listener_name"],
                    row["affinity"],
                    formatting.pct(100 * row["affinity"], 0),
                )
                for row in rows
            ],
            links=[formatting.listener_address(row["listener_name"]) for row in rows],
        ),
        table=table(
            rows,
            ("#", lambda row: formatting.number(row["rank"]), True),
            (
                "Listener",
                lambda row: formatting.listener_link(row["listener_name"]),
                False,
            ),
            ("Affinity", lambda row: formatting.number(row["affinity"], 3), True),
            (
                "Shared artists",
                lambda row: formatting.number(row["shared_artists"]),
                True,
            ),
        ),
        csv=f"{root}/neighbours.csv?limit=10",
        empty="Neighbours appear once others in the panel share artists.",
    )


def join_panel() -> Any:
    """Start fetching one's whole library; shows the job."""
    asking = require("write")
    services().jobs.start(asking.account_id, "fetch_listener", asking.listener_name)
    return redirect("/me#jobs", 303)


class WantedQuery(Parameters):
    q: Text | None = None


@takes(WantedQuery)
def wanted_artist() -> Response:
    """Ask for an artist that nobody has listed."""
    asking = require("read")
    return own_page(
        "wanted_artist.html",
        csrf=csrf_token(asking),
        name=asked(WantedQuery).q or "",
        most=services().settings.artist_requests,
    )


def ask_for_artist() -> Any:
    """Start fetching an artist that nobody has listed; shows the job."""
    asking = require("write")
    name = request.form.get("artist", "")
    if len(name) > 200 or "\0" in name:
        raise Problem("invalid_parameter", "no artist has such a name")
    request_artist(asking, name)
    return redirect("/me#jobs", 303)


def import_history() -> Any:
    """Keep a file of one's own history for the job that lands it; shows the job.

    Only who is logged in may send more than other bodies may have.
    """
    if current_account() is not None:
        request.max_content_length = LARGEST_UPLOAD_BYTES
    asking = require("write")
    file = request.files.get("history")
    if file is None or not file.filename:
        raise Problem("invalid_parameter", "choose the file of your history")
    shared = services()
    if store.is_leaving(shared.accounts, asking.listener_id):
        raise Problem("conflict", "what is kept of you is still being deleted")
    if is_importing(asking):
        raise Problem("conflict", "a file of yours is being read; wait for its end")
    data_dir = shared.settings.warehouse.data_dir
    uploads.discard(data_dir, [asking.listener_id])  # of a job whose worker died
    with uploads.new_file(data_dir, asking.listener_id) as kept:
        file.save(kept)
    start_import(asking)
    return redirect("/me#jobs", 303)


def cancel_job(job_id: str) -> Any:
    """Cancel one of one's jobs."""
    cancel_own_job(require("write"), job_id)
    return redirect("/me#jobs", 303)


def choose_visibility() -> Any:
    """Make one's lists public or private."""
    wanted = request.form.get("is_public")
    is_public = wanted == "true"
    asking = require_fresh("write", "/me") if is_public else require("write")
    if wanted not in ("true", "false"):
        raise Problem("invalid_parameter", "is_public is true or false")
    change_visibility(asking.account_id, is_public)
    return redirect("/me", 303)


def choose_time_zone() -> Any:
    """Choose whose days and hours one's own pages show; nothing means UTC."""
    asking = require("write")
    wanted = request.form.get("time_zone", "").strip()
    name = chosen_zone(wanted).name if wanted else None
    store.set_time_zone(services().accounts, asking.account_id, name)
    return redirect("/me", 303)


def name_listenbrainz() -> Any:
    """Name one's account at ListenBrainz, or take it back; shows the job."""
    asking = require("write")
    link_listenbrainz(asking, request.form.get("account", "").strip())
    return redirect("/me#jobs", 303)


def delete_account() -> Any:
    """Delete the account and all that is kept of its listener; asks first."""
    asking = require_fresh("write", "/me")
    if request.form.get("sure") != "yes":
        return own_page(
            "delete_account.html",
            csrf=csrf_token(asking),
            has_exchange=bool(services().leaving),
        )
    store.delete_account(services().accounts, asking, services().leaving)
    forget_answers()
    response = redirect("/", 303)
    response.delete_cookie(COOKIE)
    return response
