"""Questions put straight to last.fm, through pylast: no database, nothing is kept.

Owns what is asked for one artist, correction, search or listener, and what a refusal
means. From Python::

    from ingest.lastfm.ask import asking
    from warehouse.settings import load_settings

    with asking(load_settings()) as lastfm:
        print(lastfm.artist("Low").listeners)

Without a key the local last.fm answers from its invented world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pylast

from ingest.lastfm.servers import one_server
from warehouse.errors import FetchFailed, NotKnown
from warehouse.other_root import OtherRoot
from warehouse.redact import redact
from warehouse.settings import Settings

TAGS, TRACKS, ARTISTS, RESULTS = 5, 5, 5, 10
NOT_FOUND = "6"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Artist:
    """An artist as last.fm counts it."""

    name: str
    mbid: str | None
    listeners: int
    playcount: int
    tags: tuple[str, ...]
    tracks: tuple[str, ...]
    similar: tuple[str, ...]


@dataclass(frozen=True)
class Correction:
    """How last.fm writes a name; `is_corrected` where that is otherwise."""

    asked: str
    name: str
    is_corrected: bool


@dataclass(frozen=True)
class Found:
    """One artist of a search; `listeners` is None where last.fm does not say."""

    name: str
    listeners: int | None


@dataclass(frozen=True)
class User:
    """A last.fm account."""

    name: str
    country: str | None
    playcount: int
    registered_at: datetime
    artists: tuple[str, ...]


class Lastfm:
    """Asks one server. Each method makes a few requests.

    Raises:
        NotKnown: last.fm knows nothing of this name.
        FetchFailed: last.fm refuses, or cannot be reached.
    """

    def __init__(self, network: pylast.LastFMNetwork) -> None:
        self._network: Any = network  # its methods have no types

    def artist(self, name: str) -> Artist:
        """What last.fm says of an artist."""

        def ask() -> Artist:
            artist = self._network.get_artist(name)
            return Artist(
                name=artist.get_name(properly_capitalized=True) or name,
                mbid=artist.get_mbid() or None,
                listeners=int(artist.get_listener_count()),
                playcount=int(artist.get_playcount()),
                tags=tuple(
                    str(tag.item.get_name()) for tag in artist.get_top_tags(limit=TAGS)
                ),
                tracks=tuple(
                    str(track.item.get_name())
                    for track in artist.get_top_tracks(limit=TRACKS)
                ),
                similar=tuple(
                    str(one.item.get_name())
                    for one in artist.get_similar(limit=ARTISTS)
                ),
            )

        return _answered(ask, f"the artist {name!r}")

    def spelling(self, name: str) -> str:
        """An artist's name as last.fm writes it: one request."""

        def ask() -> str:
            artist = self._network.get_artist(name)
            return str(artist.get_name(properly_capitalized=True) or name)

        return _answered(ask, f"the artist {name!r}")

    def correction(self, name: str) -> Correction:
        """How last.fm writes an artist's name."""

        def ask() -> Correction:
            right = self._network.get_artist(name).get_correction()
            return Correction(name, right or name, bool(right) and right != name)

        return _answered(ask, f"the artist {name!r}")

    def search(self, text: str) -> tuple[Found, ...]:
        """Artists whose names have a text, the best first."""

        def ask() -> tuple[Found, ...]:
            page = self._network.search_for_artist(text).get_next_page()
            return tuple(
                Found(str(one.get_name()), _number(one.listener_count))
                for one in page[:RESULTS]
            )

        return _answered(ask, f"an artist like {text!r}")

    def user(self, name: str) -> User:
        """What last.fm says of an account."""

        def ask() -> User:
            user = self._network.get_user(name)
            country = user.get_country()
            return User(
                name=str(user.get_name(properly_capitalized=True) or name),
                country=None if country is None else str(country.get_name()),
                playcount=int(user.get_playcount()),
                registered_at=datetime.fromtimestamp(
                    int(user.get_unixtime_registered()), UTC
                ).replace(tzinfo=None),
                artists=tuple(
                    str(one.item.get_name())
                    for one in user.get_top_artists(limit=ARTISTS)
                ),
            )

        return _answered(ask, f"the listener {name!r}")


@contextmanager
def asking(
    settings: Settings, say: Callable[[str], None] = lambda _line: None
) -> Iterator[Lastfm]:
    """A last.fm to ask: the settings' server, or the local one without a key.

    Args:
        say: told when the local server answers.

    Raises:
        SettingsError: the settings name no server that can be asked.
    """
    with one_server(settings, say) as (url, key):
        network = pylast.LastFMNetwork(api_key=key)
        elsewhere = OtherRoot(url)
        # pylast speaks https to last.fm's host; the transport sends it to the server.
        network.enable_proxy({"https://": elsewhere})
        try:
            yield Lastfm(network)
        finally:
            elsewhere.close()


def _answered(ask: Callable[[], Answer], what: str) -> Answer:
    try:
        return ask()
    except pylast.WSError as error:
        said = redact(str(error))
        if str(error.status) == NOT_FOUND:
            raise NotKnown(f"last.fm does not know {what}: {said}") from None
        raise FetchFailed(f"last.fm refused: {said}") from None
    except pylast.NetworkError as error:
        said = redact(str(error.underlying_error or error))
        raise FetchFailed(f"last.fm cannot be reached: {said}") from None
    except (
        pylast.PyLastError,
        AttributeError,
        IndexError,
        TypeError,
        ValueError,
    ) as error:
        raise FetchFailed(
            f"last.fm's answer about {what} cannot be read: {redact(str(error))}"
        ) from None


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
