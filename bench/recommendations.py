"""How well recommended artists meet what was held out, beside four peers.

    python -m bench.recommendations [--held-out 0.2] [--listeners N] [--seed S]

Of every listener of hetrec2011-lastfm-2k (SHARED_DIR) a fifth of the artists is held
out; the rest goes into a warehouse, the models are built, and the first 20 of
`recommended_artists` are compared with what was held out: the share found (recall@20)
and its gain by place (nDCG@20; Järvelin and Kekäläinen 2002). Peers, on the same split:
item-item cosine (Sarwar et al. 2001) on log plays, listeners who share most artists,
the most popular artists.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from heapq import nsmallest
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from local_lastfm.hetrec import HetrecWorld
from tests.dbt_project.project import RawWarehouse

PLACES = 20
TRACKED = 1000
"""Most played artists whose tags the warehouse knows, as a daily run asks them."""
DAY = date(2025, 1, 1)


@dataclass(frozen=True)
class Split:
    """Plays by listener and artist that are known, and artists to be found."""

    known: dict[str, dict[str, int]]
    held_out: dict[str, set[str]]
    tags: dict[str, Sequence[tuple[str, int]]]

    @property
    def popularity(self) -> Counter[str]:
        return Counter(one for library in self.known.values() for one in library)


def split(folder: Path, held_out: float, listeners: int | None, seed: int) -> Split:
    """Hold out that share of every listener's artists.

    Args:
        folder: of hetrec2011-lastfm-2k.
        listeners: so many only, the first ones; None: all.
    """
    world = HetrecWorld(folder)
    dice = Random(seed)
    known, wanted = {}, {}
    for name in world.listeners[:listeners]:
        listener = world.people[name]
        plays = {a: n for a, _, n in world.top_artists(listener, 0, 0)}
        names = sorted(plays)
        hidden = set(dice.sample(names, round(held_out * len(names))))
        if hidden and hidden != plays.keys():
            known[name] = {a: n for a, n in plays.items() if a not in hidden}
            wanted[name] = hidden
    most = [world.artists[index] for index in world.chart_artists(0)[:TRACKED]]
    return Split(known, wanted, {artist.name: artist.tags for artist in most})


def ours(data: Split, folder: Path) -> dict[str, list[str]]:
    """The first places of `recommended_artists`, built from what is known."""
    warehouse = RawWarehouse(folder)
    warehouse.insert(
        "lastfm__user_top_artists",
        [
            {
                "as_of_date": DAY,
                "listener_name": listener,
                "period": "overall",
                "position": place,
                "artist_name": artist,
                "playcount": plays,
            }
            for listener, library in data.known.items()
            for place, (artist, plays) in enumerate(
                sorted(library.items(), key=lambda row: (-row[1], row[0])), 1
            )
        ],
    )
    warehouse.insert(
        "lastfm__artist_top_tags",
        [
            {
                "as_of_date": DAY,
                "artist_name": artist,
                "position": place,
                "tag_name": tag,
                "tag_count": count,
            }
            for artist, tags in data.tags.items()
            for place, (tag, count) in enumerate(tags[:20], 1)
        ],
    )
    warehouse.build("+recommended_artists")
    found: dict[str, list[str]] = defaultdict(list)
    for listener, artist in warehouse.query(
        "select listener_id, artist_name from marts.recommended_artists"
        f" where rank <= {PLACES} order by listener_id, rank"
    ):
        found[listener].append(artist)
    return found


def popular(data: Split) -> dict[str, list[str]]:
    """What most listeners have played."""
    order = [artist for artist, _ in _ordered(data.popularity)]
    return {
        listener: [a for a in order[:500] if a not in library][:PLACES]
        for listener, library in data.known.items()
    }


def overlap(data: Split, neighbours: int = 20) -> dict[str, list[str]]:
    """What the listeners who share most artists have played."""
    heard_by = defaultdict(list)
    for listener, library in data.known.items():
        for artist in library:
            heard_by[artist].append(listener)
    found = {}
    for listener, library in data.known.items():
        shared = Counter(other for artist in library for other in heard_by[artist])
        del shared[listener]
        points: Counter[str] = Counter()
        for other, artists in _ordered(shared)[:neighbours]:
            for artist in data.known[other]:
                points[artist] += artists
        found[listener] = _best(points, library)
    return found


def item_cosine(data: Split) -> dict[str, list[str]]:
    """What is most alike to what was played, by the cosine of log plays."""
    weights = {
        listener: {artist: math.log1p(plays) for artist, plays in library.items()}
        for listener, library in data.known.items()
    }
    products: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for library in weights.values():
        for one, weight in library.items():
            row = products[one]
            for other, factor in library.items():
                row[other] += weight * factor
    lengths = {artist: math.sqrt(row[artist]) for artist, row in products.items()}
    found = {}
    for listener, library in weights.items():
        points: dict[str, float] = defaultdict(float)
        for own, weight in library.items():
            share = weight / lengths[own]
            for other, product in products[own].items():
                points[other] += share * product / lengths[other]
        found[listener] = _best(points, library)
    return found


def _ordered(points: Mapping[str, float]) -> list[tuple[str, Any]]:
    return sorted(points.items(), key=lambda row: (-row[1], row[0]))


def _best(points: Mapping[str, float], library: Mapping[str, float]) -> list[str]:
    """The unheard artists with most points."""
    unheard = ((-one, name) for name, one in points.items() if name not in library)
    return [name for _, name in nsmallest(PLACES, unheard)]


def judge(found: Mapping[str, Sequence[str]], data: Split) -> tuple[float, float]:
    """Recall@20 and nDCG@20, means over the listeners, 0 to 1."""
    recalls, gains = [], []
    for listener, wanted in data.held_out.items():
        places = [
            place
            for place, artist in enumerate(found.get(listener, ())[:PLACES])
            if artist in wanted
        ]
        recalls.append(len(places) / len(wanted))
        best = math.fsum(_gain(n) for n in range(min(PLACES, len(wanted))))
        gains.append(math.fsum(map(_gain, places)) / best)
    return fmean(recalls), fmean(gains)


def _gain(place: int) -> float:
    return 1 / math.log2(place + 2)


PEERS: dict[str, Callable[[Split], dict[str, list[str]]]] = {
    "item-item cosine": item_cosine,
    "listeners who share most": overlap,
    "popularity": popular,
}


def main() -> int:
    """Print the table; 1 when a peer is better in both figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--held-out", type=float, default=0.2)
    parser.add_argument("--listeners", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    shared = Path(os.environ.get("SHARED_DIR", "../shared"))
    folder = shared / "datasets" / "hetrec2011-lastfm-2k"
    if not folder.is_dir():
        print(f"{folder} is not there; SHARED_DIR says where the data sets are")
        return 1
    data = split(folder, given.held_out, given.listeners, given.seed)
    print(f"{len(data.known):,} listeners, seed {given.seed}: recall@20, nDCG@20")
    with tempfile.TemporaryDirectory() as work:
        figures = {"recommended_artists": judge(ours(data, Path(work)), data)}
    figures |= {name: judge(peer(data), data) for name, peer in PEERS.items()}
    for name, (recall, gain) in figures.items():
        print(f"  {name:<26} {recall:.3f}  {gain:.3f}")
    best = figures["recommended_artists"]
    beaten = any(r > best[0] and g > best[1] for r, g in figures.values())
    return 1 if beaten else 0


if __name__ == "__main__":
    raise SystemExit(main())
