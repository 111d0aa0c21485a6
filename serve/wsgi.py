"""What a WSGI server loads: ``serve.wsgi:build`` is the factory of the application.

It returns the cache itself: a hit never enters Flask.
"""

from __future__ import annotations

import gc
import os

from serve import logs
from serve.app import create_app
from serve.cache import Cache
from serve.context import Services
from serve.settings import load_serve_settings


def build() -> Cache:
    """The application of this process's environment."""
    os.umask(0o077)
    settings = load_serve_settings()
    logs.configure(settings)
    shared: Services = create_app(settings).extensions["serve"]
    # What is there now stays: the collector need not look through it ever again.
    gc.collect()
    gc.freeze()
    return shared.cache
