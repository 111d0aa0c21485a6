from ingest.local_lastfm.cli import command

command(prog_name="local-lastfm")
