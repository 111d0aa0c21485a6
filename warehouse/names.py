"""The key under which all spellings of a name are one.

Owns the definition of a name key: of artists, albums, tracks, tags, listeners and
countries, while loading, fetching and answering. The tables of schema raw carry the key
of every spelling, so SQL never computes one: what a database takes for the small letter
of another depends on its locale.
"""

import unicodedata


def name_key(name: str) -> str:
    """What is left of a name when case, width and white space do not count.

    NFKC, case folding, white space collapsed and trimmed, NFKC again (folding can undo
    it). A name of which nothing is left is its own key: it is still a name.
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", " ".join(folded.split())) or name
