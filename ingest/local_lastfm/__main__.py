"""`python -m ingest.local_lastfm`: the same as `scrobble local-lastfm`."""

from ingest.local_lastfm.cli import command

command(prog_name="local-lastfm")
