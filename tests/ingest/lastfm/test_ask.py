"""Questions put straight to last.fm: what it says, and how a refusal is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingest.lastfm import servers
from ingest.lastfm.ask import asking
from ingest.lastfm.ask_cli import command
from local_lastfm import LocalLastfm
from warehouse.errors import FetchFailed, NotKnown, SettingsError
from warehouse.settings import Settings

KEY = "0123456789abcdef0123456789abcdef"
ARTIST = "Broken Motel"


@pytest.fixture(scope="module")
def lastfm() -> Iterator[LocalLastfm]:
    with LocalLastfm("demo", today=datetime.now(UTC).date()) as server:
        yield server


@pytest.fixture
def settings(lastfm: LocalLastfm, tmp_path: Path) -> Settings:
    lastfm.clear_faults()
    return Settings(
        data_dir=tmp_path / "data",
        lastfm_url=lastfm.as_of_url,
        lastfm_api_key=lastfm.api_key,
    )


def test_an_artist_a_correction_a_search_and_a_user(
    lastfm: LocalLastfm, settings: Settings
) -> None:
    world = lastfm.world
    now = world.now()
    index = world.artist_names[ARTIST.casefold()]
    wrong, right = next(
        (name, world.artist_name(number, now))
        for name, number in world.artist_aliases.items()
        if not world.artists[number].former_name
    )
    with asking(settings) as asked:
        artist = asked.artist("broken MOTEL")
        assert artist.name == ARTIST == asked.spelling("broken motel")
        counted = (artist.listeners, artist.playcount)
        assert counted == pytest.approx(world.artist_counters(index, now), rel=0.01)
        assert len(artist.tracks) == len(artist.tags) == len(artist.similar) == 5
        correction = asked.correction(wrong)
        assert (correction.name, correction.is_corrected) == (right, True)
        assert not asked.correction(ARTIST).is_corrected
        found = asked.search("Broken")
        assert ARTIST in [one.name for one in found] and len(found) <= 10
        assert all(one.listeners for one in found)
        assert asked.search("no such artist anywhere") == ()
        listener = world.listener(world.listeners[0], now)
        assert listener is not None
        user = asked.user(listener.name.upper())
        assert (user.name, user.country) == (listener.name, listener.country)
        assert user.registered_at.timestamp() is not None and user.playcount > 0
    # No database, no folder: nothing was kept.
    assert not settings.data_dir.exists()


def run(settings: Settings, *arguments: str) -> Result:
    given = ["--lastfm-url", str(settings.lastfm_url), "--lastfm-api-key", KEY]
    return CliRunner().invoke(command, [*arguments, *given], env={})


def test_the_command_prints_words_or_json(settings: Settings) -> None:
    said = run(settings, "artist", ARTIST)
    assert said.exit_code == 0
    assert f"name:          {ARTIST}" in said.output and "tags:" in said.output
    found = json.loads(run(settings, "search", "Broken", "--json").output)
    assert ARTIST in [one["name"] for one in found]
    assert json.loads(run(settings, "correction", ARTIST, "--json").output) == {
        "asked": ARTIST,
        "name": ARTIST,
        "is_corrected": False,
    }
    nothing = run(settings, "search", "no such artist anywhere")
    assert "finds no artist like" in nothing.output
    assert isinstance(run(settings, "user", " ").exception, SettingsError)
    assert run(settings, "planet", "Earth").exit_code == 2


def test_what_is_not_known_is_said_so(settings: Settings) -> None:
    with asking(settings) as asked:
        with pytest.raises(NotKnown, match="does not know the artist 'Nobody At All'"):
            asked.artist("Nobody At All")
        with pytest.raises(NotKnown, match="the listener"):
            asked.user("nobody_at_all")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "error", "code": 10}, "refused: Invalid API key"),
        ({"kind": "error", "code": 29}, "refused: Rate Limit"),
        ({"kind": "html", "status": 503}, "(?i)last.fm"),
        ({"kind": "reset"}, "cannot be reached"),
        ({"kind": "truncated"}, "last.fm"),
    ],
)
def test_a_refusal_is_told_without_the_key(
    lastfm: LocalLastfm, settings: Settings, rule: dict[str, object], said: str
) -> None:
    lastfm.set_faults([rule])
    with asking(settings) as asked, pytest.raises(FetchFailed, match=said) as raised:
        asked.artist(ARTIST)
    assert not isinstance(raised.value, NotKnown)
    assert lastfm.api_key not in str(raised.value)
    lastfm.clear_faults()
    with asking(settings) as asked:  # the control
        assert asked.artist(ARTIST).name == ARTIST


def test_nobody_there_is_told(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, lastfm_url="http://127.0.0.1:9/2.0/")
    with asking(settings) as asked, pytest.raises(FetchFailed, match="be reached"):
        asked.artist(ARTIST)
    elsewhere = Settings(data_dir=tmp_path, lastfm_url="https://music.example/2.0/")
    with pytest.raises(SettingsError, match="wants a key"), asking(elsewhere):
        pass


def test_without_a_key_the_local_server_answers_and_says_so(
    lastfm: LocalLastfm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard: list[str] = []

    class Process:
        url = lastfm.url

        def __enter__(self) -> Process:
            return self

        def __exit__(self, *_: object) -> None:
            heard.append("closed")

    monkeypatch.setattr("local_lastfm.start_process", Process)
    with servers.one_server(Settings(data_dir=tmp_path), heard.append) as (url, _):
        assert url == lastfm.url
    assert "LASTFM_API_KEY is not set" in heard[0] and heard[1] == "closed"
    with asking(Settings(data_dir=tmp_path)) as asked:
        assert asked.spelling("broken motel") == ARTIST
