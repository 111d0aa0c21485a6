"""The warehouse's own machinery: settings, runs, lock, versions, command line.

Owns what is true of any source and any reader: which run may work, what is
published, how a day is built and checked. Must not know last.fm or Flask; those plug in
by entry point: :mod:`warehouse.hooks`.
"""
