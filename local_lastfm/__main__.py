"""`python -m local_lastfm`: the same as `scrobble local-lastfm`."""

from local_lastfm.cli import command

command(prog_name="local-lastfm")
