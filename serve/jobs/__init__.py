"""Background jobs a person starts: so far, fetching a new listener's whole library.

A job is a row of table ``jobs``: state, progress, counts, error, cancel. The table is
the queue as well: a worker asks it once a second for the oldest waiting row, so no
further server is needed. A worker that dies leaves a row without heartbeat; the next
one takes it up.

What a job does is found by entry point, because the service knows no source:
:class:`warehouse.hooks.JobHook`.
"""
