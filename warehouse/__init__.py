"""The warehouse's own machinery: settings, runs, lock, versions, command line.

Owns what is true of any source and any reader: which run may work, what is
published, how a day is built and checked. Must not know last.fm or Flask; those plug in
through the entry point groups ``scrobble.commands``, ``scrobble.steps`` and
``scrobble.tables`` (what `scrobble db init` creates beside its own).
"""
