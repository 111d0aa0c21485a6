"""What to ask last.fm for a day, and what to ask next when an answer came.

Pure: no clock, no network, no database. Owns the list of calls of the daily cycle, the
walk over a listener's scrobbles and what an answer says about the calls to come
(:class:`Digest`). Must not know how calls are made, stored or repeated.

A day is planned in two phases. The first asks for charts, countries, tags and
everything of the listeners; the second, made from those answers, for the tracked
artists, the most used tags, and the tracks and albums heard most. A day in ``snapshot``
mode (a missed day, asked of a server that can answer for it) has charts and the
configured countries and tags only.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from warehouse.names import name_key

Mode = Literal["full", "snapshot"]

DAY_SECONDS = 86_400
# A walk restarts with the next smaller page when deep pages keep failing (error 8).
WALK_LIMITS = (1000, 500, 200, 100, 50)
REWALKS = 3
# Lists that hardly change from day to day: asked again after plan.list_days or more.
SLOW_LISTS = frozenset({"artist.getSimilar", "artist.getTopTags"})
# Answers that rarely change: asked again only after plan.remember_days.
REMEMBERED = SLOW_LISTS | {"track.getInfo", "album.getInfo"}
# Methods whose answers decide about the second phase.
NOTED = frozenset(
    {
        "chart.getTopArtists",
        "chart.getTopTags",
        "user.getTopArtists",
        "user.getTopTracks",
        "user.getTopAlbums",
    }
)
# Methods whose answers may ask for more calls.
FOLLOWED = NOTED | {
    "artist.getInfo",
    "chart.getTopTracks",
    "user.getRecentTracks",
    "user.getLovedTracks",
    "user.getFriends",
    "user.getTopTags",
    "user.getPersonalTags",
}
# last.fm's periods that end today, with the days they are sure to cover.
PERIOD_DAYS = (
    ("7day", 7),
    ("1month", 28),
    ("3month", 89),
    ("6month", 181),
    ("12month", 365),
)
ARTIST_METHODS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("artist.getInfo", {}),
    ("artist.getTopTags", {}),
    ("artist.getSimilar", {"limit": "100"}),
    ("artist.getTopTracks", {"limit": "50", "page": "1"}),
    ("artist.getTopAlbums", {"limit": "50", "page": "1"}),
    ("artist.getCorrection", {}),
)


@dataclass(frozen=True)
class FetchPlan:
    """What the daily cycle covers. Counts are rows wanted unless the name says else."""

    listeners: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    top_artists: int = 1000
    top_tracks: int = 200
    top_tags: int = 100
    country_top: int = 50
    tag_top: int = 50
    most_used_tags: int = 10
    panel_artists: int = 200
    """the artists the panel plays most are tracked as well"""
    max_tracked: int = 5000
    """artists; once tracked, always tracked, and no more than this many"""
    snapshot_pages: int = 20
    """chart pages a snapshot day may need to meet every tracked artist"""
    track_infos: int = 300
    album_infos: int = 150
    remember_days: int = 30
    list_days: int = 7
    """a list of :data:`SLOW_LISTS` is asked again after one to two times these days,
    each list at an age of its own, so that they do not all come on one day"""
    listener_top: int = 1000
    heard_pages: int = 200
    """pages of 1000 tracks heard, with their lengths, at most"""
    own_tags: int = 50
    """personal tags asked of one listener"""
    tagging_types: tuple[str, ...] = ("artist",)
    list_pages: int = 50
    """pages of loved tracks, friends and personal tags, at most"""
    overlap_seconds: int = 3 * 3600
    private_retry_days: int = 7
    full_walk_days: int = 0
    """walk each whole history again after so many days, which alone shows old edits
    that leave the number of scrobbles as it was; 0 never (raw keeps every walk)"""
    is_left_out: Callable[[str], bool] = field(default=lambda _name: False)
    """of whom nothing is landed, in others' lists of friends either"""


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to ask. `params` hold neither key nor method nor format."""

    method: str
    params: Mapping[str, str]
    context: Mapping[str, Any] | None = None

    @property
    def entity(self) -> str | None:
        """Whom the call asks about: what is skipped when it does not exist."""
        return entity(self.method, self.params)

    @property
    def walk_id(self) -> str | None:
        """The walk this page belongs to."""
        return self.context.get("walk_id") if self.context else None


@dataclass(frozen=True, slots=True)
class ListenerState:
    """What earlier days left about a listener. Times are seconds since 1970."""

    name: str
    watermark_uts: int | None = None
    is_history_complete: bool = False
    counted_uts: int | None = None
    counted_scrobbles: int | None = None
    is_private: bool = False
    private_since: date | None = None
    full_walk_date: date | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """What an answer says that the plan needs; small, whatever the answer's size.

    `names` are tuples: (artist,), (tag,), (artist, track or album).
    `plays` stand beside them where the answer counts; `measured` are those of the names
    that the answer gives a length.
    """

    items: int
    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    pages: int | None = None
    names: tuple[tuple[str, ...], ...] = ()
    plays: tuple[int, ...] = ()
    measured: frozenset[tuple[str, ...]] = frozenset()


@dataclass
class Next:
    """What follows from an answer."""

    calls: list[Call] = field(default_factory=list)
    superseded: str | None = None  # the walk that these calls begin anew


@dataclass
class Notes:
    """What the first phase's answers say about the second, summed up over answers."""

    chart_artists: dict[str, str] = field(default_factory=dict)
    chart_tags: dict[str, str] = field(default_factory=dict)
    artists: Counter[str] = field(default_factory=Counter)
    tracks: Counter[tuple[str, str]] = field(default_factory=Counter)
    albums: Counter[tuple[str, str]] = field(default_factory=Counter)
    measured: set[tuple[str, ...]] = field(default_factory=set)
    spellings: dict[str, str] = field(default_factory=dict)
    most_plays: dict[tuple[int, str], tuple[int, str]] = field(default_factory=dict)

    def _choose(self, names: dict[str, str], name: str, plays: int) -> None:
        """Of several spellings with one key the one with most plays, wherever it stands
        in an answer; of equal ones the greater text."""
        key = name_key(name)
        place = (id(names), key)
        self.most_plays[place] = max(
            self.most_plays.get(place, (-1, "")), (plays, name)
        )
        names[key] = self.most_plays[place][1]

    def take(self, call: Call, digest: Digest) -> None:
        """Add one answer. Takes every answer once: counts are sums over listeners."""
        method = call.method
        if method == "chart.getTopArtists":
            for (name,), plays in zip(digest.names, digest.plays, strict=True):
                self._choose(self.chart_artists, name, plays)
        elif method == "chart.getTopTags":
            for (name,) in digest.names:
                self.chart_tags.setdefault(name_key(name), name)
        elif method == "user.getTopArtists":
            for (name,), plays in zip(digest.names, digest.plays, strict=True):
                self._choose(self.spellings, name, plays)
                self.artists[name_key(name)] += plays
        elif method in ("user.getTopTracks", "user.getTopAlbums"):
            heard = self.tracks if method == "user.getTopTracks" else self.albums
            for names, plays in zip(digest.names, digest.plays, strict=True):
                heard[(names[0], names[1])] += plays
            self.measured |= digest.measured


def entity(method: str, params: Mapping[str, str]) -> str | None:
    """``user:rj`` or ``artist:cher``; None for calls that are about nobody.

    Albums, tracks, tags and countries have no entity: a call or two each.
    """
    if user := params.get("user"):
        return f"user:{name_key(user)}"
    if method.startswith("artist."):
        return f"artist:{params['artist']}"
    return None


# Answers ---------------------------------------------------------------------------


def root_of(payload: Any) -> Any:
    """The one object that an answer consists of, whatever its name."""
    if isinstance(payload, dict) and payload:
        return next(iter(payload.values()))
    return None


def attributes(payload: Any) -> Mapping[str, Any]:
    """Paging and user: ``@attr``, or beside ``#text`` in old empty answers."""
    root = root_of(payload)
    if not isinstance(root, dict):
        return {}
    found = root.get("@attr", root)
    return found if isinstance(found, dict) else {}


def digest(method: str, payload: Any) -> Digest:
    """Take from an answer what :func:`follow` and :class:`Notes` need.

    Never raises: what is missing or of another shape is left out, since judging rows
    is the load's work.
    """
    found = attributes(payload)
    rows = [root_of(payload)] if method == "artist.getInfo" else _rows(payload)
    names: list[tuple[str, ...]] = []
    plays: list[int] = []
    measured: set[tuple[str, ...]] = set()
    read = _READERS.get(method)
    if read is not None:
        for row in rows:
            if isinstance(row, dict) and all(name := read(row)):
                names.append(name)
                plays.append(_number(row.get("playcount")) or 0)
                if (_number(row.get("duration")) or 0) > 0:
                    measured.add(name)
    return Digest(
        items=len(rows),
        total=_number(found.get("total")),
        page=_number(found.get("page")),
        per_page=_number(found.get("perPage")),
        pages=_number(found.get("totalPages")),
        names=tuple(names),
        plays=tuple(plays),
        measured=frozenset(measured),
    )


def _rows(payload: Any) -> list[Any]:
    root = root_of(payload)
    if not isinstance(root, dict):
        return []
    for name, value in root.items():
        if name in ("@attr", "#text"):
            continue
        if isinstance(value, list):
            return value
        if isinstance(value, dict):
            return [value]  # one item comes as an object instead of an array
    return []


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("#text")
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


_Reader = Callable[[dict[str, Any]], tuple[str, ...]]


def _one_name(row: dict[str, Any]) -> tuple[str, ...]:
    return (_text(row.get("name")),)


def _two_names(row: dict[str, Any]) -> tuple[str, ...]:
    return _text(row.get("artist")), _text(row.get("name"))


_READERS: dict[str, _Reader] = {
    "artist.getInfo": _one_name,
    "chart.getTopArtists": _one_name,
    "chart.getTopTags": _one_name,
    "user.getTopArtists": _one_name,
    "user.getTopTags": _one_name,
    "user.getTopTracks": _two_names,
    "user.getTopAlbums": _two_names,
}


# The first phase -------------------------------------------------------------------


def end_of_walks(as_of: date, now: int) -> int:
    """Where walks of this day end: now, or the day's last second when it is past."""
    end = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) + timedelta(days=1)
    return min(now, int(end.timestamp()) - 1)


def first_phase(
    plan: FetchPlan,
    as_of: date,
    mode: Mode,
    walk_to: int,
    listeners: Mapping[str, ListenerState],
) -> list[Call]:
    """The calls a day begins with. `listeners` by case-folded name."""
    calls = [
        _top("chart.getTopArtists", plan.top_artists),
        _top("chart.getTopTracks", plan.top_tracks),
        _top("chart.getTopTags", plan.top_tags),
    ]
    for country in plan.countries:
        for method in ("geo.getTopArtists", "geo.getTopTracks"):
            calls.append(_top(method, plan.country_top, country=country))
    for tag in plan.tags:
        calls += _tag_calls(plan, tag)
    if mode == "full":
        calls += panel_phase(plan, as_of, walk_to, listeners)
    return calls


def panel_phase(
    plan: FetchPlan,
    as_of: date,
    walk_to: int,
    listeners: Mapping[str, ListenerState],
) -> list[Call]:
    """The calls about the plan's listeners that a day begins with."""
    calls: list[Call] = []
    # Walks first: they need the most answers one after the other.
    for name in plan.listeners:
        state = listeners.get(name_key(name)) or ListenerState(name)
        if not state.is_private or _retries_private(plan, state, as_of):
            calls.append(_first_probe(plan, name, as_of, walk_to, state))
    for name in plan.listeners:
        state = listeners.get(name_key(name)) or ListenerState(name)
        calls += _listener_calls(plan, name, state, walk_to)
    return calls


def _top(method: str, wanted: int, **params: str) -> Call:
    return Call(method, {**params, "limit": str(min(wanted, 1000)), "page": "1"})


def _tag_calls(plan: FetchPlan, tag: str) -> list[Call]:
    return [
        _top("tag.getTopArtists", plan.tag_top, tag=tag),
        _top("tag.getTopTracks", plan.tag_top, tag=tag),
    ]


def _retries_private(plan: FetchPlan, state: ListenerState, as_of: date) -> bool:
    since = state.private_since
    return since is None or (as_of - since).days >= plan.private_retry_days


def _listener_calls(
    plan: FetchPlan, name: str, state: ListenerState, walk_to: int
) -> list[Call]:
    user = {"user": name}
    calls = [Call("user.getInfo", user)]
    if state.is_private:
        return calls
    calls.append(
        _top("user.getTopArtists", plan.listener_top, **user, period="overall")
    )
    period = heard_period(state, walk_to)
    calls.append(_top("user.getTopAlbums", plan.listener_top, **user, period=period))
    # With the lengths of all tracks that the walk brings, a thousand in a request.
    calls.append(_top("user.getTopTracks", 1000, **user, period=period))
    calls.append(_top("user.getLovedTracks", 1000, **user))
    calls.append(_top("user.getFriends", 1000, **user))
    calls.append(Call("user.getTopTags", {**user, "limit": str(plan.own_tags)}))
    return calls


def heard_period(state: ListenerState, walk_to: int) -> str:
    """The shortest of last.fm's periods with all that was heard since the last walk.

    Args:
        walk_to: where today's walk ends, in seconds since 1970.
    """
    if state.watermark_uts is not None and state.is_history_complete:
        # A day more: answers come from caches, and the walk reaches back.
        days = (walk_to - state.watermark_uts) / DAY_SECONDS + 1
        for period, covered in PERIOD_DAYS:
            if days <= covered:
                return period
    return "overall"


# The second phase ------------------------------------------------------------------


def tracked(plan: FetchPlan, notes: Notes, already: Mapping[str, str]) -> list[str]:
    """The artists tracked from now on that were not before, best first.

    The charts' top N, then the artists the panel plays most, up to the bound.
    """
    room = max(0, plan.max_tracked - len(already))
    wanted = dict(list(notes.chart_artists.items())[: plan.top_artists])
    for key, _ in _most(notes.artists, plan.panel_artists):
        wanted.setdefault(key, notes.spellings[key])
    return [name for key, name in wanted.items() if key not in already][:room]


def answered_lately(
    plan: FetchPlan, as_of: date, answered: Mapping[tuple[str, str], date]
) -> set[tuple[str, str]]:
    """Those (method, canonical params) of remembered answers that are not due again.

    What was answered on the day itself counts among the calls of that day.

    Args:
        answered: the day each was answered last.
    """
    return {
        call
        for call, day in answered.items()
        if day != as_of and (as_of - day).days < _days_remembered(plan, *call)
    }


def _days_remembered(plan: FetchPlan, method: str, params: str) -> int:
    if method not in SLOW_LISTS:
        return plan.remember_days
    return plan.list_days + zlib.crc32(params.encode()) % max(1, plan.list_days)


def second_phase(
    plan: FetchPlan,
    mode: Mode,
    notes: Notes,
    artists: Iterable[str],
    known: Collection[tuple[str, str]],
    canonical: Callable[[Mapping[str, str]], str],
) -> list[Call]:
    """The calls that the first phase's answers ask for.

    `known` holds (method, canonical params) of what was answered lately.
    """
    if mode == "snapshot":
        return []
    configured = {name_key(tag) for tag in plan.tags}
    used = list(notes.chart_tags.items())[: plan.most_used_tags]
    calls: list[Call] = []
    for key, tag in used:
        if key not in configured:
            calls += _tag_calls(plan, tag)
    # By method: an artist that getInfo does not know is then not asked about again.
    names = list(artists)
    for method, params in ARTIST_METHODS:
        asked = (Call(method, {"artist": name, **params}) for name in names)
        calls += (
            call for call in asked if (method, canonical(call.params)) not in known
        )
    # No list says how long they are: tracks without a length come first.
    tracks = sorted(_most(notes.tracks), key=lambda entry: entry[0] in notes.measured)
    for method, heard, wanted in (
        ("track.getInfo", tracks, plan.track_infos),
        ("album.getInfo", _most(notes.albums), plan.album_infos),
    ):
        word = method.partition(".")[0]
        infos = (
            Call(method, {"artist": name, word: title}) for (name, title), _ in heard
        )
        new = (call for call in infos if (method, canonical(call.params)) not in known)
        calls += islice(new, wanted)
    return calls


def artist_phase(name: str) -> list[Call]:
    """What a day asks about one artist, whatever was answered lately."""
    return [
        Call(method, {"artist": name, **params}) for method, params in ARTIST_METHODS
    ]


def _most(counts: Counter[Any], wanted: int | None = None) -> list[tuple[Any, int]]:
    """The largest counts, ties by key so that two runs agree."""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ordered[:wanted]


# What follows from an answer -------------------------------------------------------


@dataclass(frozen=True)
class Situation:
    """What :func:`follow` may look at besides the answer itself."""

    plan: FetchPlan
    mode: Mode
    tracked: Mapping[str, str]
    notes: Notes


def follow(call: Call, answer: Digest, situation: Situation) -> Next:
    """The calls that an answer asks for. Notes must have taken the answer before."""
    plan = situation.plan
    if call.method == "user.getRecentTracks":
        return _follow_walk(plan, call, answer)
    if call.method in ("chart.getTopArtists", "chart.getTopTracks", "chart.getTopTags"):
        return _follow_chart(call, answer, situation)
    if call.method == "artist.getInfo":
        return Next(_correction(call, answer))
    if call.method in (
        "user.getLovedTracks",
        "user.getFriends",
        "user.getPersonalTags",
    ):
        return Next(_other_pages(plan.list_pages, call, answer))
    if call.method == "user.getTopTracks":
        return Next(_other_pages(plan.heard_pages, call, answer))
    if call.method == "user.getTopTags":
        return Next(
            [
                _top(
                    "user.getPersonalTags",
                    1000,
                    user=call.params["user"],
                    tag=tag,
                    taggingtype=kind,
                )
                for (tag,) in answer.names[: plan.own_tags]
                for kind in plan.tagging_types
            ]
        )
    return Next()


def _follow_chart(call: Call, answer: Digest, situation: Situation) -> Next:
    """The next page of a chart: totalPages means nothing, so count the rows."""
    plan = situation.plan
    page, limit = int(call.params["page"]), int(call.params["limit"])
    # Fewer rows a page than asked for happen; the rows of this page say how many.
    met = page * min(limit, answer.per_page or limit)
    wanted = {
        "chart.getTopArtists": plan.top_artists,
        "chart.getTopTracks": plan.top_tracks,
        "chart.getTopTags": plan.top_tags,
    }[call.method]
    if not answer.items or (answer.total is not None and met >= answer.total):
        return Next()
    if met >= wanted:
        missing = situation.tracked.keys() - situation.notes.chart_artists.keys()
        if (
            call.method != "chart.getTopArtists"
            or situation.mode == "full"  # artist.getInfo has their counters
            or not missing
            or page >= plan.snapshot_pages
        ):
            return Next()
    return Next([Call(call.method, {**call.params, "page": str(page + 1)})])


def _correction(call: Call, answer: Digest) -> list[Call]:
    """Where another artist answered: only a correction says that the two are one."""
    asked = call.params["artist"]
    if all(name_key(name) == name_key(asked) for (name,) in answer.names):
        return []
    return [Call("artist.getCorrection", {"artist": asked})]


def _other_pages(most: int, call: Call, answer: Digest) -> list[Call]:
    if call.params["page"] != "1" or not answer.items:
        return []
    last = min(answer.pages or 1, most)
    return [
        Call(call.method, {**call.params, "page": str(page)})
        for page in range(2, last + 1)
    ]


# The walk over a listener's scrobbles ----------------------------------------------
#
# Probes (one row, context {"probe": …}) learn counts, pages (context {"walk_id": …})
# bring the rows, from the last page to the first, all up to a frozen end:
#   all     how many scrobbles there are until the end
#   before  how many there are until the end of the last walk; another number than at
#           that time means that old ones went or came: the whole history is walked
#   since   how many there are from the watermark less the overlap


def _first_probe(
    plan: FetchPlan, name: str, as_of: date, walk_to: int, state: ListenerState
) -> Call:
    context: dict[str, Any] = {"probe": "all", "probe_to": walk_to}
    walked = state.full_walk_date
    is_due = plan.full_walk_days > 0 and (
        walked is None or (as_of - walked).days >= plan.full_walk_days
    )
    if state.watermark_uts is not None and state.is_history_complete and not is_due:
        since = max(0, min(state.watermark_uts, walk_to) - plan.overlap_seconds)
        context["since"] = since
        if state.counted_uts is not None and state.counted_uts <= walk_to:
            context["counted_uts"] = state.counted_uts
            context["counted"] = state.counted_scrobbles
    return _probe(name, 0, walk_to, context)


def _probe(name: str, start: int, end: int, context: Mapping[str, Any]) -> Call:
    params = {"user": name, "limit": "1", "page": "1", "to": str(end)}
    if start:
        params["from"] = str(start)
    return Call("user.getRecentTracks", params, context)


def _follow_walk(plan: FetchPlan, call: Call, answer: Digest) -> Next:
    context = call.context or {}
    name, total = call.params["user"], answer.total or 0
    if context.get("walk_id"):
        if total == context["total"] or context["nth"] > REWALKS:
            return Next()
        return Next(
            walk(
                name,
                context["walk_from"],
                context["walk_to"],
                total,
                int(call.params["limit"]),
                context["nth"] + 1,
                context["history_total"] if context["walk_from"] else total,
            ),
            superseded=context["walk_id"],
        )
    end = context["probe_to"]
    if context["probe"] == "all":
        context = {**context, "all": total}
        if "counted" in context:
            return Next(
                [
                    _probe(
                        name, 0, context["counted_uts"], {**context, "probe": "before"}
                    )
                ]
            )
        if "since" in context:
            start = context["since"]
            return Next([_probe(name, start, end, {**context, "probe": "since"})])
        return Next(walk(name, 0, end, total, WALK_LIMITS[0], 1, total))
    if context["probe"] == "before":
        if total == context["counted"]:
            start = context["since"]
            return Next([_probe(name, start, end, {**context, "probe": "since"})])
        everything = context["all"]
        return Next(walk(name, 0, end, everything, WALK_LIMITS[0], 1, everything))
    start = context["since"]
    return Next(walk(name, start, end, total, WALK_LIMITS[0], 1, context["all"]))


def walk(
    name: str,
    start: int,
    end: int,
    total: int,
    limit: int,
    nth: int,
    history_total: int,
) -> list[Call]:
    """The pages of a walk, last page first; one page when there is nothing, too.

    An empty walk that is complete says that what stood in its window has gone.
    """
    pages = max(1, -(-total // limit))
    context = {
        "walk_id": f"{name_key(name)}-{start}-{end}-{limit}-{nth}",
        "walk_from": start,
        "walk_to": end,
        "pages": pages,
        "total": total,
        "nth": nth,
        "history_total": history_total,
    }
    window = {"from": str(start)} if start else {}
    return [
        Call(
            "user.getRecentTracks",
            {
                "user": name,
                "limit": str(limit),
                "page": str(page),
                "to": str(end),
                **window,
            },
            {**context, "page": page},
        )
        for page in range(pages, 0, -1)
    ]


def smaller_pages(call: Call) -> Next | None:
    """The same walk with smaller pages, or None where there is no smaller one."""
    context = call.context or {}
    limit = int(call.params.get("limit", "0"))
    smaller: Sequence[int] = [size for size in WALK_LIMITS if size < limit]
    if not context.get("walk_id") or not smaller:
        return None
    return Next(
        walk(
            call.params["user"],
            context["walk_from"],
            context["walk_to"],
            context["total"],
            smaller[0],
            context["nth"],
            context["history_total"],
        ),
        superseded=context["walk_id"],
    )
