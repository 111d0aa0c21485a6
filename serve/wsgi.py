"""What a WSGI server loads: ``serve.wsgi:build`` is the factory of the application.

It returns the cache itself: a hit never enters Flask.
"""

from __future__ import annotations

import gc
import logging
import os

from serve.app import create_app
from serve.cache import Cache
from serve.context import Services
from serve.settings import load_serve_settings
from warehouse.redact import RedactingFilter


def build() -> Cache:
    """The application of this process's environment."""
    os.umask(0o077)
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    shared: Services = create_app(load_serve_settings()).extensions["serve"]
    # What is there now stays: the collector need not look through it ever again.
    gc.collect()
    gc.freeze()
    return shared.cache
