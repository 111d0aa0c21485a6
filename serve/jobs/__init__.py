"""Background jobs a person starts: so far, fetching a new listener's whole library.

A job is a row of table ``jobs`` (the truth: state, progress, counts, error, cancel);
huey carries its id to a worker through a SQLite file in DATA_DIR, so no further server
is needed. A worker that dies leaves a row without heartbeat; the next one takes it up.

What a job does is found by entry point, because the service knows no source:
:class:`warehouse.hooks.JobHook`.
"""
