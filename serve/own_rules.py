"""One rule of a listener, on own plays or recommendations: its words and stored form.

Owns the kinds of rules and their one stored form. Pure: who may have them is decided by
the accounts, what they do to plays by :mod:`serve.queries.own_rules`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from warehouse.names import name_key

Kind = Literal[
    "exclude_artist",
    "exclude_album",
    "exclude_track",
    "exclude_tag",
    "exclude_hours",
    "artist_is",
    "album_is",
    "track_is",
    "recommend_more",
    "recommend_never",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_RULES = 100
MOST_ARTISTS = 6
"""Into so many artists one name can be split."""
HOURS = 24

_TITLED = ("exclude_album", "exclude_track", "album_is", "track_is")


class NoRule(ValueError):
    """What was given is no rule; the message says what it lacks."""


@dataclass(frozen=True)
class Rule:
    """One rule. Names are as the listener wrote them.

    artist, title: whose plays, and of which album or track; tag: a tag's plays.
    becomes: what the artist, album or track is; several artists split one.
    first_hour, last_hour: from the begin of the one to the begin of the other, by the
    clock of the account's time zone; over midnight where the first is not before the
    last.
    """

    kind: Kind
    artist: str = ""
    title: str = ""
    tag: str = ""
    becomes: tuple[str, ...] = ()
    first_hour: int = 0
    last_hour: int = 0

    def checked(self) -> Rule:
        """The rule, without what its kind does not use.

        Raises:
            NoRule: it lacks something, or says nothing.
        """
        kind = self.kind
        if kind == "exclude_hours":
            first, last = self.first_hour, self.last_hour
            if not (0 <= first < HOURS and 0 <= last <= HOURS) or first == last % HOURS:
                raise NoRule("hours are from 0 to 23, and end at another (1 to 24)")
            return Rule(kind, first_hour=first, last_hour=last)
        if kind == "exclude_tag":
            return Rule(kind, tag=_name(self.tag, "the tag's name"))
        artist = _name(self.artist, "the artist's name")
        title = ""
        if kind in _TITLED:
            title = _name(self.title, "the album's or track's title")
        if not kind.endswith("_is"):
            return Rule(kind, artist=artist, title=title)
        becomes = tuple(dict.fromkeys(_name(one, "a name") for one in self.becomes))
        most = MOST_ARTISTS if kind == "artist_is" else 1
        if not 1 <= len(becomes) <= most:
            raise NoRule(
                f"it becomes one name{f', or up to {most}' if most > 1 else ''}"
            )
        if becomes == (title or artist,):
            raise NoRule("it has that name already")
        return Rule(kind, artist=artist, title=title, becomes=becomes)

    @property
    def is_of_plays(self) -> bool:
        """Whether it changes the own lists; the others, what is recommended."""
        return not self.kind.startswith("recommend")

    @property
    def in_words(self) -> str:
        """The rule as people say it."""
        if self.kind == "recommend_more":
            return f"Recommend more like {self.artist}"
        if self.kind == "recommend_never":
            return f"Never recommend {self.artist}"
        if self.kind == "exclude_hours":
            return f"Leave out {self.first_hour:02}:00 to {self.last_hour:02}:00"
        if self.kind == "exclude_tag":
            return f"Leave out the tag {self.tag}"
        what = f"{self.title} by {self.artist}" if self.title else self.artist
        thing = self.kind.rpartition("_")[2]
        if self.kind.startswith("exclude"):
            return f"Leave out the {thing} {what}"
        thing = self.kind.partition("_")[0]
        return f"The {thing} {what} is {' and '.join(self.becomes)}"


def _name(text: str, what: str) -> str:
    name = " ".join(text.split())
    if not name or not name_key(name):
        raise NoRule(f"say {what}")
    return name


#: The rules of an account, by their ids.
Stored = dict[str, Rule]


def read(stored: str | None) -> Stored:
    """The rules of an account as its row has them."""
    if not stored:
        return {}
    found: dict[str, dict[str, Any]] = json.loads(stored)
    return {
        rule_id: Rule(**{**rule, "becomes": tuple(rule.get("becomes", ()))})
        for rule_id, rule in found.items()
    }


def written(rules: Stored) -> str | None:
    """What the account's row has of these rules; nothing for none."""
    if not rules:
        return None
    return json.dumps({rule_id: _plain(rule) for rule_id, rule in rules.items()})


def _plain(rule: Rule) -> dict[str, Any]:
    kept: dict[str, Any] = asdict(rule)
    is_of_hours = rule.kind == "exclude_hours"
    return {
        name: value
        for name, value in kept.items()
        if value or (is_of_hours and name.endswith("_hour"))
    }


def several(text: str) -> Sequence[str]:
    """The names in a text of one line each."""
    return [line for line in text.splitlines() if line.strip()]
