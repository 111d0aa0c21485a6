"""The read service: JSON and files over the published version, accounts, pages.

Owns everything under ``/``. Must not write last.fm data, must not import ``ingest``,
and keeps SQL out of routes: a route parses, calls one function of ``serve.queries`` or
``serve.accounts``, and answers.
"""
