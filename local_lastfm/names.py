"""Invented names of artists, albums, tracks and listeners, in many scripts.

Everything comes from the `random.Random` given; nothing here is a real record.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

# Names that break naive clients; every one of them is heard in the demo world.
AWKWARD_ARTISTS = (
    "[unknown]",
    "(null)",
    "<script>alert('scrobble')</script>",
    "North/South",
    "+/- Infinity",
    "100% Rain",
    "C++ Choir",
    'The "Quoted" Ones',
    "O'Marley's Ghost",
    "Salt & Pepper & Thyme",
    "🦀🌊",
    "Café Ångström",
    "Мглистый Хор",
    "夜の図書館員",
    "ليل الحديقة البعيدة",
    "สายลมกลางคืน",
    "한밤의 우체국",
    "रात की चिट्ठी",
    "Ωkeanos Λevko",
    "=SUM(A1:A9)",
    "@midnight_parade",
    "-minus-",
    "Left \u202erof thgir\u202c Right",
    "The Very Long Name Which the Band Chose When the Printer Was Still Free of "
    "Charge and Nobody at the Label Had Yet Read to the Very End of the Contract",
    "Velvet Orchard feat. Moth & The Lamps",
    "Ｆｕｌｌｗｉｄｔｈ Club",
    "ſtraße nach Norden",
    "?",
    "Null Island",
    "Nan",
)


def words(text: str) -> list[str]:
    """The words of a text, `+` standing for a space inside one."""
    return [word.replace("+", " ") for word in text.split()]


_FIRST = words("""
Velvet Copper Paper Hollow Silver Northern Quiet Electric Glass Winter Solar Distant
Broken Marble Saffron Midnight Scarlet Static Wooden Lunar Amber Crystal Burnt
Second Feral Gentle Crooked Tidal Neon Humble Ivory Rusty Secret Slow Golden Phantom
Wandering Double Hidden Cobalt Plastic Sleeping Bitter Holy Thirsty Patient
Cardboard Invisible Pacific
""")
_SECOND = words("""
Orchard Lanterns Machine Harbour Foxes Antenna Gardeners Parade Kitchen Telegraph
Ghosts Avenue Sparrows Engine Satellite Carnival Moths Library Cathedral Cassette
Islands Mirrors Postmen Wolves Tapestry Elevator Lighthouse Weather Institute
Bicycle Meridian Swimmers Assembly Choir Thieves Pavilion Republic Society Astronaut
Bakery Dynasty Furnace Telescope Circuit Motel Almanac Kingdom Tigers Compass
Umbrella
""")
_SYLLABLES = words("""
ka mi ro ve lun dar shi ola bre tor nis eva qui sol ram ith zen pol ara fen gor hal
jus kel lo mar nor pel ren sa tal ul vor wen yas zar bel cru dro
""")
_TITLE = words("""
morning river letter window summer shadow engine silence city ocean signal mountain
fever paper garden thunder mirror colour machine station feather harbour promise
winter circle sugar bridge kitchen forest number stranger satellite echo ladder
velvet answer blanket corner diamond evening fountain golden island jacket kingdom
lantern moment needle orange pocket question ribbon shelter ticket umbrella valley
whisper yesterday zebra
""")
_JOIN = ("of the", "in the", "without", "after", "under the", "for a", "and the")
_CYRILLIC = words("""
туман река голос зима окно дорога свет тень город письмо поезд снег звезда берег
огонь
""")
_KANJI = "夜空海風森雪月花雨光影声街夢星窓駅橋".strip()
_KANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノ"
_HANGUL = "밤하늘바다바람숲눈달꽃비빛그림자소리거리꿈별창문"
_GREEK = words("""
νύχτα θάλασσα φως σκιά δρόμος χειμώνας άνεμος φωνή
""")
_LATIN = words("""
ação coração Schnee Brücke Straße école forêt señal año żółw gęś źródło őszi tűz
İzmir ışık çığlık
""")


def _phrase(rng: Random) -> str:
    kind = rng.random()
    words = rng.sample(_TITLE, 2)
    if kind < 0.35:
        return f"{words[0]} {words[1]}"
    if kind < 0.6:
        return f"{words[0]} {rng.choice(_JOIN)} {words[1]}"
    if kind < 0.75:
        return words[0]
    return f"{rng.choice(_FIRST).lower()} {words[0]}"


def _script(rng: Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return " ".join(rng.sample(_CYRILLIC, 2)).capitalize()
    if kind == 1:
        return "".join(rng.choices(_KANJI, k=rng.randint(2, 4)))
    if kind == 2:
        return "".join(rng.choices(_KANA, k=rng.randint(3, 6)))
    if kind == 3:
        return "".join(rng.choices(_HANGUL, k=2)) + " " + rng.choice(_HANGUL)
    if kind == 4:
        return " ".join(rng.sample(_GREEK, 2)).capitalize()
    return " ".join(rng.sample(_LATIN, 2)).capitalize()


def _artist(rng: Random) -> str:
    kind = rng.random()
    if kind < 0.14:
        return _script(rng)
    if kind < 0.5:
        return f"{rng.choice(_FIRST)} {rng.choice(_SECOND)}"
    if kind < 0.62:
        return f"The {rng.choice(_FIRST)} {rng.choice(_SECOND)}"
    given = "".join(rng.choices(_SYLLABLES, k=2)).capitalize()
    if kind < 0.82:
        return f"{given} {''.join(rng.choices(_SYLLABLES, k=3)).capitalize()}"
    if kind < 0.9:
        return f"{given} & the {rng.choice(_SECOND)}"
    if kind < 0.95:
        return f"DJ {given}"
    return given.upper() + str(rng.randint(2, 99))


def _unique(rng: Random, make: Callable[[Random], str], taken: set[str]) -> str:
    for _ in range(8):
        name = make(rng)
        if name.casefold() not in taken:
            break
    else:
        name = f"{name} {len(taken)}"
    taken.add(name.casefold())
    return name


def artist_name(rng: Random, taken: set[str]) -> str:
    """A name no other artist in `taken` (casefolded, added to) has."""
    return _unique(rng, _artist, taken)


def track_name(rng: Random, taken: set[str]) -> str:
    def make(rng: Random) -> str:
        kind = rng.random()
        if kind < 0.08:
            return _script(rng)
        title = _phrase(rng)
        title = title.title() if kind < 0.7 else title.capitalize()
        if kind > 0.985:
            return f"{title} 🌙"
        if kind > 0.97:
            return f"{title} (50% Slower)"
        if kind > 0.955:
            return f"{title} / {rng.choice(_TITLE).title()}"
        if kind > 0.935:
            return f"{title} (feat. {_artist(rng)})"
        if kind > 0.92:
            return f"{title} - Live"
        return title

    return _unique(rng, make, taken)


def album_name(rng: Random, taken: set[str]) -> str:
    def make(rng: Random) -> str:
        kind = rng.random()
        if kind < 0.08:
            return _script(rng)
        if kind < 0.14:
            return f"{_phrase(rng).title()} EP"
        return _phrase(rng).title()

    return _unique(rng, make, taken)


def listener_name(rng: Random, taken: set[str]) -> str:
    def make(rng: Random) -> str:
        kind = rng.random()
        stem = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 3)))
        if kind < 0.3:
            return stem.capitalize()
        if kind < 0.55:
            return f"{stem}{rng.randint(1, 99)}"
        if kind < 0.75:
            return f"{rng.choice(_FIRST).lower()}_{rng.choice(_TITLE)}"
        return f"{stem}-{rng.choice(_TITLE)}"

    return _unique(rng, make, taken)
