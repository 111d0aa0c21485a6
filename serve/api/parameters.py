"""The parameters routes share, strict: what is not in the description is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from serve import ranges
from serve.problems import Problem
from serve.queries.windows import Counted, Plays
from serve.store.contract import Published
from serve.zones import Zone
from warehouse.names import name_key

MAX_OFFSET = 1_000_000

_INTEGER = re.compile(r"-?[0-9]{1,12}\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _whole(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.match(value):
        return int(value)
    raise ValueError("must be a whole number")


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _DAY.match(value):
        return date.fromisoformat(value)
    raise ValueError("must be a day, YYYY-MM-DD")


Whole = Annotated[int, BeforeValidator(_whole)]
# Bounds of a number that may be left out must stand first, or the schema lacks them.
Year = Annotated[int, Field(ge=2002, le=2200), BeforeValidator(_whole)]
Hour = Annotated[int, Field(ge=0, le=23), BeforeValidator(_whole)]
QuietDays = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)]
Revision = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_whole)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{8}-[0-9]{1,18}$")]
Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")
]
Scope = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Key = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ListenerName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20/]{1,64}$")]
#: Which names there are is found out by :func:`chosen_zone`: hundreds.
ZoneName = Annotated[
    str,
    StringConstraints(
        max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*$"
    ),
]
Flag = Literal["true", "false"]


class Parameters(BaseModel):
    """Base of all query and path models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # flask-openapi asks for the schema at every request; making it costs more than
    # the request itself.
    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return _schema(cls, repr((args, kwargs)), args, tuple(kwargs.items()))

    @classmethod
    def _plain_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().model_json_schema(*args, **kwargs)


@lru_cache(maxsize=512)
def _schema(
    model: type[Parameters], _key: str, args: tuple[Any, ...], kwargs: Any
) -> dict[str, Any]:
    schema = model._plain_schema(*args, **dict(kwargs))
    for name, value in schema.get("properties", {}).items():
        schema["properties"][name] = _without_null(value)
    return schema


def _without_null(value: dict[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is not `null`: there is no way to write that."""
    value = dict(value)
    kinds = [kind for kind in value.pop("anyOf", []) if kind.get("type") != "null"]
    if len(kinds) == 1:
        value.update(kinds[0])
    if value.get("default", 0) is None:
        del value["default"]
    value.pop("title", None)
    return value


class Nothing(Parameters):
    """A route that takes no parameter refuses all."""


class Page(Parameters):
    """A bounded part of an ordered list."""

    limit: Whole = Field(50, ge=1, le=1000, description="rows in this answer")
    offset: Whole = Field(0, ge=0, le=MAX_OFFSET, description="rows left out before")


class Window(Parameters):
    """Days: a word, or from and to (both included)."""

    range: ranges.Word | None = Field(
        None,
        description="ListenBrainz's words: `week` is the last whole week before the"
        " published day, `this_week` the running one",
    )
    from_: Day | None = Field(None, alias="from", description="first day (UTC)")
    to: Day | None = Field(None, description="last day (UTC), included")

    def days(self, published: Published, default: str = "all_time") -> ranges.Range:
        """The days meant, as of the published day.

        Raises:
            Problem: a word and days are both given, or `from` is after `to`.
        """
        as_of = published.as_of_date
        if self.range is not None:
            if self.from_ is not None or self.to is not None:
                raise Problem("invalid_range", "give range, or from and to, not both")
            return ranges.of_word(self.range, as_of)
        if self.from_ is None and self.to is None:
            return ranges.of_word(default, as_of)
        try:
            return ranges.of_days(self.from_, self.to, as_of)
        except ValueError as error:
            raise Problem("invalid_range", str(error)) from None


class LocalWindow(Parameters):
    """Local days of a time zone: a word, or from and to (both included)."""

    range: ranges.Word | None = Field(
        None,
        description="ListenBrainz's words, counted from the published day: `week` is"
        " the last whole week before it, `this_week` the running one",
    )
    from_: Day | None = Field(None, alias="from", description="first local day")
    to: Day | None = Field(None, description="last local day, included")
    tz: ZoneName | None = Field(
        None,
        description="time zone of days, hours and weeks, as Europe/Oslo; without it"
        " the one that the owner has chosen for own lists, else UTC",
    )

    def days(self, published: Published, default: ranges.Word) -> ranges.Range:
        """The days meant, as of the published day.

        Raises:
            Problem: a word and days are both given, or `from` is after `to`.
        """
        given = {"range": self.range, "from": self.from_, "to": self.to}
        return Window.model_validate(given).days(published, default)


class Filters(Window):
    """Days, and whose plays of what."""

    artist: Key | None = Field(None, description="only plays of this artist_id")
    tag: Key | None = Field(None, description="only artists with this tag_id")
    country: Text | None = Field(None, description="only listeners of this country")

    def plays(self, published: Published, default: str = "all_time") -> Plays:
        """The plays that count."""
        return Plays(
            self.days(published, default),
            artist_id=self.artist,
            tag_id=self.tag,
            country=self.country,
        )


#: The member of an answer that says below what number days are left out.
LEAST: dict[str, Any] = {
    "least_listeners": (
        int | None,
        Field(
            description="behind a filter, a day on which fewer listeners pass it is"
            " left out; null: no filter, nothing is left out"
        ),
    )
}


class PanelFilters(Filters):
    """Days, whose plays of what, and whether all of them count."""

    counted: Counted = Field(
        "clean",
        description="clean: without flagged days, and of one listener and entity no"
        " more than the cap of a week or month; all: every play, of the whole panel",
    )

    def plays(self, published: Published, default: str = "all_time") -> Plays:
        """The plays that count."""
        plays = super().plays(published, default)
        if self.counted == "all" and plays.is_filtered:
            raise Problem(
                "invalid_combination",
                "counted: what does not count is told of the whole panel only; leave"
                " out counted, or artist, tag and country",
            )
        return replace(plays, counted=self.counted)


class ArtistPath(Parameters):
    """One artist."""

    artist_id: Key = Field(description="md5 of the artist's folded name")


class ListenerPath(Parameters):
    """One listener."""

    listener_name: ListenerName = Field(description="last.fm name, in any case")

    @property
    def listener_id(self) -> str:
        """The key: case and width are only spelling."""
        return name_key(self.listener_name)


def chosen_zone(name: str) -> Zone:
    """The zone of a name.

    Raises:
        Problem: there is none of that name.
    """
    try:
        return Zone(name)
    except ValueError as error:
        raise Problem("invalid_time_zone", str(error)) from None


def is_true(flag: str | None) -> bool | None:
    """true, false or not given."""
    return None if flag is None else flag == "true"
