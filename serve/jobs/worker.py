"""The process that runs jobs: ``python -m serve.jobs.worker``; `serve` starts one.

It also looks through the exchange's books, over and over: see `exchange.audit`.
"""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from exchange import audit
from exchange.clock import utc_now
from exchange.daily_steps import open_database
from serve.accounts.database import ensure_tables, open_accounts
from serve.jobs.queue import Jobs
from serve.settings import load_serve_settings
from warehouse.redact import RedactingFilter

_RECOVER_SECONDS = 10.0
_POLL_SECONDS = 1.0


def main() -> None:
    """Run jobs until the process is asked to stop."""
    handler = logging.StreamHandler()
    handler.addFilter(RedactingFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    settings = load_serve_settings()
    engine = open_accounts(settings)
    ensure_tables(engine)
    jobs = Jobs(engine, settings)
    jobs.recover()
    stop = threading.Event()

    def recovering() -> None:
        while not stop.wait(_RECOVER_SECONDS):
            try:
                jobs.recover()
            except Exception:
                logging.getLogger(__name__).exception("jobs were not looked through")

    def auditing() -> None:
        audit.watch(lambda: open_database(settings.warehouse), utc_now, stop)

    for function in (recovering, auditing):
        threading.Thread(target=function, daemon=True).start()
    # `INT` and `TERM` stop it; a job then goes on in the next worker.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        while True:
            try:
                jobs.run_queued()
            except SQLAlchemyError:
                # The database may be back at the next look.
                logging.getLogger(__name__).exception("the queue was not read")
            stop.wait(_POLL_SECONDS)
    stop.set()


if __name__ == "__main__":
    main()
