"""The key under which all spellings of a name are one.

Owns the definition of a name key: of artists, albums, tracks, tags, listeners and
countries, while loading, fetching and answering. The tables of schema raw carry the key
of every spelling, so SQL never computes one: what a database takes for the small letter
of another depends on its locale.
"""

import unicodedata

# Hangul fillers and the empty Braille pattern: letters and signs that print as nothing.
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSEEN = frozenset(("Cc", "Cf", "Me", "Mn", "Zl", "Zp", "Zs"))


def name_key(name: str) -> str:
    """What is left of a name when case, width and white space do not count.

    NFKC, case folding, white space collapsed and trimmed, NFKC again (folding can undo
    it). A name that prints as nothing has the key ``(blank name U+200B)``, which lists
    its characters and is what is shown in its place; as all others are case-folded, the
    capital U keeps it apart from a name that is written so.
    """
    if name and is_blank(name):
        return f"(blank name {' '.join(f'U+{ord(letter):04X}' for letter in name)})"
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", " ".join(folded.split()))


def is_blank(name: str) -> bool:
    """Whether no character of a name is seen: blanks, controls, marks on nothing."""
    return all(
        letter in _FILLERS or unicodedata.category(letter) in _UNSEEN for letter in name
    )
