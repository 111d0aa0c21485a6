"""A small world for tests of the fetch: charts, artists, listeners, scrobbles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingest.load.recipes import recipes_of
from tests.ingest.lastfm.tiny_lastfm import Reply, error_reply, json_reply


@dataclass
class SmallWorld:
    """Answers every method with a recipe; scrobbles are (uts, artist, track)."""

    artists: int = 12
    tags: tuple[str, ...] = ("rock", "folk", "dub")
    scrobbles: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    now_playing: bool = False
    padding: int = 0

    def names(self) -> list[str]:
        return [f"Artist {number}" for number in range(self.artists)]

    def __call__(self, method: str, params: Mapping[str, str], path: str) -> Reply:
        answer = getattr(self, "_" + method.replace(".", "_").lower(), None)
        if answer is None and not recipes_of(method):
            return error_reply(3, 400)
        found = answer(params) if answer else self._nothing(method, params)
        if isinstance(found, Reply):
            return found
        if self.padding:
            found["padding"] = "x" * self.padding
        return json_reply(found)

    @staticmethod
    def _nothing(method: str, params: Mapping[str, str]) -> Any:
        """An answer without items to a method that the tests do not look at."""
        recipe = recipes_of(method)[0]
        return {
            recipe.roots[0]: {recipe.items.split("/")[0]: [], "@attr": dict(params)}
        }

    @staticmethod
    def _page(
        rows: list[Any], params: Mapping[str, str]
    ) -> tuple[list[Any], dict[str, str]]:
        limit, page = int(params.get("limit", 50)), int(params.get("page", 1))
        return rows[(page - 1) * limit : page * limit], {
            "page": str(page),
            "perPage": str(limit),
            "totalPages": str(-(-len(rows) // limit)),
            "total": str(len(rows)),
        }

    def _chart_gettopartists(self, params: Mapping[str, str]) -> Any:
        rows = [
            {"name": name, "playcount": "900", "listeners": "30", "mbid": ""}
            for name in self.names()
        ]
        page, attr = self._page(rows, params)
        return {"artists": {"artist": page, "@attr": attr}}

    def _chart_gettoptracks(self, params: Mapping[str, str]) -> Any:
        rows = [{"name": "T", "artist": {"name": name}} for name in self.names()]
        page, attr = self._page(rows, params)
        return {"tracks": {"track": page, "@attr": attr}}

    def _chart_gettoptags(self, params: Mapping[str, str]) -> Any:
        page, attr = self._page([{"name": tag} for tag in self.tags], params)
        return {"tags": {"tag": page, "@attr": attr}}

    def _geo_gettopartists(self, params: Mapping[str, str]) -> Any:
        page, attr = self._page([{"name": name} for name in self.names()], params)
        return {
            "topartists": {
                "artist": page,
                "@attr": {**attr, "country": params["country"]},
            }
        }

    def _artist_getinfo(self, params: Mapping[str, str]) -> Any:
        return {"artist": {"name": params["artist"], "stats": {"listeners": "3"}}}

    def _artist_getcorrection(self, params: Mapping[str, str]) -> Any:
        return {"corrections": {"correction": {"artist": {"name": params["artist"]}}}}

    def _track_getinfo(self, params: Mapping[str, str]) -> Any:
        return {"track": {"name": params["track"], "duration": "1000"}}

    def _album_getinfo(self, params: Mapping[str, str]) -> Any:
        return {"album": {"name": params["album"]}}

    def _user_getinfo(self, params: Mapping[str, str]) -> Any:
        count = len(self.scrobbles.get(params["user"], []))
        return {"user": {"name": params["user"].upper(), "playcount": str(count)}}

    def _user_getrecenttracks(self, params: Mapping[str, str]) -> Any:
        start, end = int(params.get("from", 0)), int(params.get("to", 1 << 40))
        rows = sorted(
            (
                row
                for row in self.scrobbles.get(params["user"], [])
                if start <= row[0] <= end
            ),
            reverse=True,
        )
        page, attr = self._page(rows, params)
        tracks: list[dict[str, Any]] = [
            {
                "name": title,
                "artist": {"#text": artist, "mbid": ""},
                "album": {"#text": "", "mbid": ""},
                "date": {"uts": str(uts), "#text": "x"},
            }
            for uts, artist, title in page
        ]
        if self.now_playing:
            playing = {"name": "N", "artist": {"#text": "A"}}
            tracks.insert(0, {**playing, "@attr": {"nowplaying": "true"}})
        named = {**attr, "user": params["user"].upper()}
        return {"recenttracks": {"track": tracks, "@attr": named}}

    def _heard(self, params: Mapping[str, str], word: str, root: str) -> Any:
        counts: dict[tuple[str, str], int] = {}
        for _, artist, title in self.scrobbles.get(params["user"], []):
            key = (artist, "" if word == "artist" else title)
            counts[key] = counts.get(key, 0) + 1
        rows = [
            {"name": artist if word == "artist" else title, "playcount": str(plays)}
            | ({} if word == "artist" else {"artist": {"name": artist}})
            for (artist, title), plays in counts.items()
        ]
        page, attr = self._page(rows, params)
        return {root: {word: page, "@attr": {**attr, "user": params["user"]}}}

    def _user_gettopartists(self, params: Mapping[str, str]) -> Any:
        return self._heard(params, "artist", "topartists")

    def _user_gettoptracks(self, params: Mapping[str, str]) -> Any:
        return self._heard(params, "track", "toptracks")

    def _user_gettopalbums(self, params: Mapping[str, str]) -> Any:
        return self._heard(params, "album", "topalbums")

    def _user_getfriends(self, params: Mapping[str, str]) -> Any:
        return error_reply(6, 400)

    def _user_gettoptags(self, params: Mapping[str, str]) -> Any:
        return {
            "toptags": {
                "tag": [{"name": "rock", "count": "3"}],
                "@attr": {"user": params["user"]},
            }
        }
