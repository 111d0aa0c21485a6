"""All formats, and which of them a file is of: by its content, not by its name."""

from __future__ import annotations

from ingest.exports.format import Format
from ingest.exports.formats import (
    apple_music,
    deezer,
    jellyfin,
    koito,
    lastfm_csv,
    lastfm_json,
    lastfm_tsv,
    lastfmstats,
    librefm,
    listenbrainz,
    maloja,
    pano,
    scrobbler_log,
    spotify,
    youtube,
)
from ingest.exports.source import Source

#: In this order: what is known by more comes before what is known by less.
FORMATS: tuple[Format, ...] = (
    *deezer.FORMATS,
    *spotify.FORMATS,
    *listenbrainz.FORMATS,
    *maloja.FORMATS,
    *koito.FORMATS,
    *pano.FORMATS,
    *lastfmstats.FORMATS,
    *youtube.FORMATS,
    *lastfm_json.FORMATS,
    *scrobbler_log.FORMATS,
    *jellyfin.FORMATS,
    *lastfm_tsv.FORMATS,
    *apple_music.FORMATS,
    *lastfm_csv.FORMATS,
    *librefm.FORMATS,
)


def format_of(source: Source) -> Format | None:
    """The format of a file; None where it is none that is known."""
    return next((each for each in FORMATS if each.is_it(source)), None)
