"""What a listener's own rules do to the own plays, as SQL.

Owns :class:`Rules`: rules as keys of one published version, and the plays they leave.
One play stays one play: where an artist is split, it is the first one's, and the list
of artists and each one's page count it for the others as well. Must not know who asks;
whoever makes a :class:`serve.queries.listening.Listening` gives it the owner's rules
alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serve.own_rules import Rule
from serve.queries.windows import has_tag
from serve.store.contract import Reader, Result
from serve.zones import Zone
from warehouse.names import name_key

# Prepared rules that one version remembers.
_REMEMBERED = 200
_SEPARATOR = "\x1f"
_NAMED = ("artist", "track", "album", "entity")
_TITLES = {"track": "marts.dim_tracks", "album": "marts.dim_albums"}

Local = Callable[[str], str]
"""SQL of the local time of a UTC column, by the clock of the account."""


@dataclass(frozen=True)
class Rules:
    """Rules as keys. `moved` leads from what was told to what it is, by kind of thing.

    split: told artist -> the artists beside the first.
    excluded: keys as one sees them, by kind of thing, tags among them.
    named: the name of a key, where a rule says how it is written.
    whose: the artist (key, name) of a title that nobody but a rule knows.
    touched: told keys that a renaming is about, by kind.
    """

    moved: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    split: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hours: tuple[tuple[int, int], ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)
    whose: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    touched: Mapping[str, frozenset[str]] = field(default_factory=dict)
    zone: Zone = field(default_factory=Zone)
    count: int = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def plays_sql(self, local: Local) -> str:
        """SQL: the listener's plays under the rules; binds `listener_id`."""
        keys = ", ".join(f"{self._key(thing)} as {thing}_id" for thing in self._THINGS)
        without = self._excluded(local)
        return f"""
            select
                plays.scrobble_id, plays.listener_id, {keys},
                plays.artist_id as told_artist_id, plays.scrobbled_at,
                plays.scrobbled_date, plays.listening_seconds
            from marts.fct_scrobbles as plays
            {self._joins()}
            where plays.listener_id = :listener_id
            {f"and not ({without})" if without else ""}
        """

    def touched_sql(self, local: Local) -> str:
        """SQL: how many of the listener's plays these rules are about, and of all."""
        about = [f"plays.{t}_id in {listed(keys)}" for t, keys in self.touched.items()]
        if without := self._excluded(local):
            about.append(without)
        is_about = " or ".join(f"coalesce({one}, false)" for one in about) or "false"
        return f"""
            select
                cast(count(*) filter (where {is_about}) as bigint) as plays,
                cast(count(*) as bigint) as all_plays
            from marts.fct_scrobbles as plays
            {self._joins()}
            where plays.listener_id = :listener_id
        """

    _THINGS = ("artist", "track", "album")

    def _key(self, thing: str) -> str:
        if not self.moved.get(thing):
            return f"plays.{thing}_id"
        return f"coalesce({thing}_rules.to_id, plays.{thing}_id)"

    def _joins(self) -> str:
        return "\n".join(
            f"left join (values {_pairs(self.moved[thing].items())})"
            f" as {thing}_rules (from_id, to_id)"
            f" on plays.{thing}_id = {thing}_rules.from_id"
            for thing in self._THINGS
            if self.moved.get(thing)
        )

    def _excluded(self, local: Local) -> str:
        """The condition that a play is left out; nothing where none is."""
        found = []
        for thing in self._THINGS:
            if keys := self.excluded.get(thing):
                found.append(f"{self._key(thing)} in {listed(keys)}")
        if keys := self.excluded.get("tag"):
            found.append(has_tag(self._key("artist"), f"in {listed(keys)}"))
        for first, last in self.hours:
            hour = f"extract(hour from {local('plays.scrobbled_at')})"
            joint = "and" if first < last else "or"
            found.append(f"({hour} >= {first} {joint} {hour} < {last})")
        # An album may be null: what is not known is not left out.
        return " or ".join(f"coalesce({one}, false)" for one in found)

    def shared_sql(self, plays: str) -> str:
        """SQL: the plays again, once for each artist whose they are as well."""
        if not self.split:
            return plays
        pairs = _pairs(
            (told, to) for told, others in self.split.items() for to in others
        )
        columns = "plays.scrobbled_at, plays.listening_seconds"
        return f"""(
            select plays.artist_id, {columns} from {plays} as plays
            union all
            select others.to_id as artist_id, {columns}
            from {plays} as plays
            inner join (values {pairs}) as others (from_id, to_id)
                on plays.told_artist_id = others.from_id
        )"""

    def is_of_artist(self, artist_id: str) -> str:
        """The condition that an own play is the artist's, first or beside another."""
        is_first = "own.artist_id = :thing_id"
        told = [one for one, others in self.split.items() if artist_id in others]
        if not told:
            return is_first
        return f"({is_first} or own.told_artist_id in {listed(told)})"

    def names_with(self, text: str) -> list[str]:
        """The keys of names that rules have written, and that hold a text."""
        wanted = name_key(text)
        return [key for key, name in self.named.items() if wanted in name_key(name)]

    def answered(self, result: Result) -> Result:
        """The answer with the names, and the artists of things, that the rules say."""
        if not self.named and not self.moved:
            return result
        artists = self.moved.get("artist", {})
        rows = [list(row) for row in result.rows]
        if {"entity_id", "artist_id", "artist_name"} <= set(result.columns):
            places = [
                result.columns.index(name)
                for name in ("entity_id", "artist_id", "artist_name")
            ]
            for row in rows:
                if (found := self.whose.get(row[places[0]])) is not None:
                    row[places[1]], row[places[2]] = found
        for thing in _NAMED:
            if not {f"{thing}_id", f"{thing}_name"} <= set(result.columns):
                continue
            key = result.columns.index(f"{thing}_id")
            name = result.columns.index(f"{thing}_name")
            for row in rows:
                if thing == "artist":
                    row[key] = artists.get(row[key], row[key])
                row[name] = self.named.get(row[key], row[name])
        return Result(result.columns, result.types, [tuple(row) for row in rows])


NO_RULES = Rules()


def prepared(reader: Reader, rules: Sequence[Rule], zone: Zone) -> Rules:
    """The rules as keys of the version that is read."""
    rules = [rule for rule in rules if rule.is_of_plays]
    if not rules:
        return NO_RULES
    asked = ("own rules", tuple(rules), zone.name)
    found: Rules | None = reader.memo.get(asked)
    if found is None:
        found = _Preparation(reader, rules).made(zone)
        kept = sum(1 for key in reader.memo if key[:1] == asked[:1])
        if kept < _REMEMBERED:
            reader.memo[asked] = found
    return found


def known_artists(reader: Reader, names: Iterable[str]) -> Sequence[tuple[Any, ...]]:
    """(name key, artist_id, name) of the artists that the version knows."""
    keys = sorted({name_key(name) for name in names})
    if not keys:
        return []
    binds = {f"key_{number}": key for number, key in enumerate(keys)}
    return reader.query(
        "select name_key, min(artist_id) as artist_id,"
        " min(artist_name) as artist_name from marts.dim_artists"
        f" where name_key in ({', '.join(f':{bind}' for bind in binds)})"
        " group by name_key",
        binds,
    ).rows


class _Preparation:
    """Finds the keys of names: the version's, or as the marts would make them."""

    def __init__(self, reader: Reader, rules: Sequence[Rule]) -> None:
        self.reader = reader
        self.rules = rules
        self.named: dict[str, str] = {}
        self.whose: dict[str, tuple[str, str]] = {}
        self.written: dict[str, str] = {}
        names = {rule.artist for rule in rules if rule.artist}
        names |= {n for rule in rules if rule.kind == "artist_is" for n in rule.becomes}
        self.artists = self._known_artists(names)
        self.becomes = self._becomes()

    def _known_artists(self, names: Iterable[str]) -> dict[str, str]:
        names = list(names)
        found = {key: _hash(key) for key in map(name_key, names)}
        if names:
            rows = known_artists(self.reader, names)
            found |= {key: artist_id for key, artist_id, _ in rows}
            self.written = {artist_id: name for _, artist_id, name in rows}
        return found

    def artist(self, name: str) -> str:
        """The key of an artist's name."""
        return self.artists[name_key(name)]

    def made(self, zone: Zone) -> Rules:
        """The rules as keys."""
        becomes = self.becomes
        first = {told: to[0] for told, to in becomes.items() if to[0] != told}
        moved = {"artist": first}
        touched = {"artist": frozenset(becomes)}
        excluded: dict[str, frozenset[str]] = {
            "artist": frozenset(
                self.artist(rule.artist)
                for rule in self.rules
                if rule.kind == "exclude_artist"
            ),
            "tag": frozenset(
                tag_key(rule.tag) for rule in self.rules if rule.kind == "exclude_tag"
            ),
        }
        for thing in _TITLES:
            merged = self._merged(thing, first)
            known = self._titles(thing, first)
            renamed = self._renamed(thing, known)
            moved[thing] = {
                told: to
                for told in {*merged, *renamed}
                if (to := _followed(told, {**merged, **renamed})) != told
            }
            touched[thing] = frozenset(renamed)
            excluded[thing] = frozenset(
                _followed(key, moved[thing])
                for rule in self.rules
                if rule.kind == f"exclude_{thing}"
                for key in self._told(thing, rule, known)
            )
        return Rules(
            moved={thing: pairs for thing, pairs in moved.items() if pairs},
            split={told: to[1:] for told, to in becomes.items() if len(to) > 1},
            excluded={thing: keys for thing, keys in excluded.items() if keys},
            hours=tuple(
                (rule.first_hour, rule.last_hour)
                for rule in self.rules
                if rule.kind == "exclude_hours"
            ),
            named=self.named,
            whose=self.whose,
            touched={thing: keys for thing, keys in touched.items() if keys},
            zone=zone,
            count=len(self.rules),
        )

    def _becomes(self) -> dict[str, tuple[str, ...]]:
        """Told artist -> who it is, through all rules that lead on."""
        step: dict[str, tuple[str, ...]] = {}
        for rule in self.rules:
            if rule.kind == "artist_is":
                to = tuple(self.artist(name) for name in rule.becomes)
                step[self.artist(rule.artist)] = to
                self.named |= dict(zip(to, rule.becomes, strict=True))
        found = {}
        for told in step:
            ends = [end for to in step[told] for end in _ends(to, step, {told})]
            found[told] = tuple(dict.fromkeys(ends))
        return found

    def _merged(self, thing: str, artists: Mapping[str, str]) -> dict[str, str]:
        """The titles of merged artists that the other artist has as well."""
        if not artists:
            return {}
        key, table = f"{thing}_id", _TITLES[thing]
        rows = self.reader.query(
            f"""
            select told.{key}, min(other.{key}) as other_id
            from {table} as told
            inner join (values {_pairs(artists.items())}) as pairs (from_id, to_id)
                on told.artist_id = pairs.from_id
            inner join {table} as other
                on other.artist_id = pairs.to_id and other.name_key = told.name_key
            group by told.{key}
            """
        ).rows
        return dict(rows)

    def _titles(
        self, thing: str, artists: Mapping[str, str]
    ) -> dict[tuple[str, str], str]:
        """(artist, name key) -> key of the titles that rules name, where known."""
        named = [
            (self.artist(rule.artist), title)
            for rule in self.rules
            if rule.kind.partition("_")[0] == thing or rule.kind == f"exclude_{thing}"
            for title in (rule.title, *rule.becomes)
        ]
        if not named:
            return {}
        whose = {artist for artist, _ in named} | set(artists)
        keys = sorted({name_key(title) for _, title in named})
        binds = {f"key_{number}": key for number, key in enumerate(keys)}
        rows = self.reader.query(
            f"""
            select artist_id, name_key, min({thing}_id) as thing_id
            from {_TITLES[thing]}
            where artist_id in {listed(whose)}
                and name_key in ({", ".join(f":{bind}" for bind in binds)})
            group by artist_id, name_key
            """,
            binds,
        ).rows
        return {(artist, title): found for artist, title, found in rows}

    def _told(
        self, thing: str, rule: Rule, known: Mapping[tuple[str, str], str]
    ) -> list[str]:
        """The keys of a rule's title: of the artist, and of who is that artist."""
        wanted, title = self.artist(rule.artist), name_key(rule.title)
        found = [key for (_, named), key in known.items() if named == title]
        whose = {
            key: artist for (artist, named), key in known.items() if named == title
        }
        return [
            key
            for key in found
            if whose[key] == wanted or self.becomes.get(whose[key], ("",))[0] == wanted
        ] or [_hash(name_key(rule.artist), title)]

    def _renamed(
        self, thing: str, known: Mapping[tuple[str, str], str]
    ) -> dict[str, str]:
        found: dict[str, str] = {}
        for rule in self.rules:
            if rule.kind != f"{thing}_is":
                continue
            (name,) = rule.becomes
            key = name_key(name)
            artist = self.artist(rule.artist)
            to = known.get((artist, key))
            if to is None:
                to = _hash(name_key(rule.artist), key)
                self.whose[to] = (artist, self.written.get(artist, rule.artist))
            self.named[to] = name
            found |= dict.fromkeys(self._told(thing, rule, known), to)
        return found


def _ends(
    key: str, step: Mapping[str, tuple[str, ...]], seen: set[str]
) -> Iterable[str]:
    """Where the rules lead from a key; a circle ends where it began."""
    if key in seen or key not in step:
        return [key]
    return [end for to in step[key] for end in _ends(to, step, seen | {key})]


def _followed(key: str, step: Mapping[str, str]) -> str:
    seen: set[str] = set()
    while key in step and key not in seen:
        seen.add(key)
        key = step[key]
    return key


def _hash(*parts: str) -> str:
    """A key as the macro `hashed_key` makes it."""
    text = _SEPARATOR.join(parts).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def tag_key(name: str) -> str:
    """The tag_id of a tag's name, known or not."""
    return _hash(name_key(name))


def _quoted(key: str) -> str:
    """A key as a literal: 32 digits of our own, nothing that came from outside."""
    if len(key) != 32 or not set(key) <= set("0123456789abcdef"):
        raise ValueError(f"{key!r} is no key")
    return f"'{key}'"


def listed(keys: Iterable[str]) -> str:
    """Keys as the literal list behind `in`."""
    return f"({', '.join(_quoted(key) for key in sorted(keys))})"


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> str:
    return ", ".join(f"({_quoted(one)}, {_quoted(two)})" for one, two in sorted(pairs))


def preview(reader: Reader, listener_id: str, rules: Rules, local: Local) -> Result:
    """How many of the listener's plays rules are about, and how many there are."""
    return reader.query(rules.touched_sql(local), {"listener_id": listener_id})
