"""pylast, a client other people wrote, finds everything where it expects it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pylast
import pytest

from local_lastfm import LocalLastfm

USER = "Margor"


@pytest.fixture(params=["sockets", "in process"])
def network(request: Any, demo: LocalLastfm) -> Iterator[pylast.LastFMNetwork]:
    transport = (
        demo.redirecting_transport() if request.param == "sockets" else demo.transport()
    )
    network = pylast.LastFMNetwork(LocalLastfm.api_key, LocalLastfm.secret)
    network.disable_rate_limit()
    network.enable_proxy({"https://": transport})
    yield network
    transport.close()


def test_an_artist_has_counters_tags_tracks_albums_and_neighbours(
    network: pylast.LastFMNetwork,
) -> None:
    artist = network.get_artist("Broken Motel")
    assert artist.get_name(properly_capitalized=True) == "Broken Motel"
    assert artist.get_listener_count() > 1000
    assert artist.get_playcount() > artist.get_listener_count()
    assert artist.get_top_tags(limit=1)[0].item.get_name()
    tracks = artist.get_top_tracks(limit=2)
    assert len(tracks) == 2 and int(tracks[0].weight) >= int(tracks[1].weight)
    assert artist.get_top_albums(limit=1)[0].item.get_name()
    similar = artist.get_similar(limit=3)
    assert len(similar) == 3 and float(similar[0].match) == 1.0


def test_a_correction_leads_to_the_right_name(
    network: pylast.LastFMNetwork, demo: LocalLastfm
) -> None:
    world = demo.world
    now = world.now()
    wrong, index = next(
        (name, index)
        for name, index in world.artist_aliases.items()
        if not world.artists[index].former_name
    )
    right = world.artist_name(index, now)
    assert network.get_artist(wrong).get_correction() == right
    track = world.tracks[world.artists[index].tracks[0]].name
    assert network.get_track(right, track.upper()).get_correction() == track


def test_search_finds_artists_tracks_and_albums(
    network: pylast.LastFMNetwork,
) -> None:
    artists = network.search_for_artist("umbrella")
    assert int(artists.get_total_result_count()) >= 2
    assert "umbrella" in artists.get_next_page()[0].get_name().lower()
    tracks = network.search_for_track("", "lantern")
    assert tracks.get_next_page()
    albums = network.search_for_album("lantern")
    assert albums.get_next_page()


def test_a_listener_s_history_tops_friends_and_loves(
    network: pylast.LastFMNetwork, demo: LocalLastfm
) -> None:
    user = network.get_user(USER)
    truth = demo.truth(USER)
    assert user.get_playcount() == len(truth)
    recent = user.get_recent_tracks(limit=120)
    assert [int(play.timestamp) for play in recent] == [
        scrobble.uts for scrobble in truth[:-121:-1]
    ]
    assert recent[0].track.title == truth[-1].track_name
    assert int(user.get_top_artists(limit=1)[0].weight) > 0
    assert user.get_loved_tracks(limit=3)
    assert user.get_friends(limit=1)
    assert user.get_weekly_chart_dates()
    assert user.get_weekly_artist_charts()


def test_the_whole_history_comes_over_the_pages(
    network: pylast.LastFMNetwork, demo: LocalLastfm
) -> None:
    user = network.get_user("Keldro")
    fetched = [int(play.timestamp) for play in user.get_recent_tracks(limit=None)]
    assert fetched == [s.uts for s in reversed(demo.truth("Keldro"))]


def test_charts_and_countries(network: pylast.LastFMNetwork) -> None:
    assert len(network.get_top_artists(limit=5)) == 5
    assert len(network.get_top_tracks(limit=5)) == 5
    assert network.get_top_tags(limit=3)
    assert network.get_geo_top_artists("Brazil", limit=2)
    assert network.get_country("Japan").get_top_tracks(limit=2)
    assert network.get_tag("rock").get_top_artists(limit=2)


def test_the_web_login_gives_a_session_and_the_name(
    network: pylast.LastFMNetwork, demo: LocalLastfm
) -> None:
    back = httpx2.get(
        demo.auth_url,
        params={"api_key": LocalLastfm.api_key, "cb": "http://me/", "user": USER},
    ).headers["location"]
    token = parse_qs(urlsplit(back).query)["token"][0]
    keys = pylast.SessionKeyGenerator(network)
    key, name = keys.get_web_auth_session_key_username("", token)
    assert name == USER
    network.session_key = key
    assert network.get_authenticated_user().get_name() == USER


def test_the_mobile_login_works_with_the_hash_of_the_password(
    network: pylast.LastFMNetwork,
) -> None:
    keys = pylast.SessionKeyGenerator(network)
    key = keys.get_session_key(USER, pylast.md5(LocalLastfm.password))
    assert len(key) == 32
    with pytest.raises(pylast.WSError) as refused:
        keys.get_session_key(USER, pylast.md5("wrong"))
    assert refused.value.get_id() == "4"


def test_errors_arrive_with_their_codes(network: pylast.LastFMNetwork) -> None:
    with pytest.raises(pylast.WSError) as unknown:
        network.get_user("no such person").get_playcount()
    assert unknown.value.get_id() == "6"
    with pytest.raises(pylast.WSError) as token:
        keys = pylast.SessionKeyGenerator(network)
        keys.get_web_auth_session_key_username("", "invalid")
    assert token.value.get_id() == "4"
