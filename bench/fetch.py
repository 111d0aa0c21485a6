"""How close the fetch comes to the rate it is allowed, with 200 ms of latency.

    python -m bench.fetch [requests a second ...]

For each rate a local last.fm that waits 200 ms before every answer is fetched from, and
the time taken is compared with requests ÷ rate, the least any client could take. The
peers: the same calls by one worker, which is bound by latency, and the fetch without a
limit worth naming, which is bound by the processor.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from ingest.lastfm.client import Client
from ingest.lastfm.fetch import MAX_WORKERS, fetch
from ingest.lastfm.plan import FetchPlan
from local_lastfm import start_process
from warehouse import ops
from warehouse.settings import load_settings

DAY = date(2026, 11, 22)
LATENCY_MS = 200.0
RATES = (4.0, 20.0, 100.0)
# Enough calls for a minute at each rate: the last answers of a phase wait for nobody.
ARTISTS = {4.0: 40, 20.0: 200, 100.0: 1000}


def measure(
    url: str, rate: float, artists: int, workers: int = MAX_WORKERS
) -> tuple[int, float]:
    """Fetch one day of `artists` artists; returns requests and seconds."""
    plan = FetchPlan(
        tags=(),
        top_artists=artists,
        max_tracked=artists,
        most_used_tags=0,
        track_infos=0,
        album_infos=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        engine = ops.open_ops(load_settings({"data_dir": root}))
        started = time.perf_counter()
        (result,) = fetch(
            [(DAY, "full")],
            plan=plan,
            client=Client(url, "benchmark"),
            engine=engine,
            landing_root=root / "landing",
            run_id="bench",
            rate=rate,
            max_workers=workers,
        )
        seconds = time.perf_counter() - started
        engine.dispose()
    assert result.completeness == 1.0, result
    return result.requests, seconds


def main() -> None:
    rates = [float(word) for word in sys.argv[1:]] or list(RATES)
    print("    rate  workers  requests  seconds  requests/rate  ratio")
    with start_process(world="demo", today=DAY, latency_ms=LATENCY_MS) as server:
        for rate in rates:
            artists = ARTISTS.get(rate, max(1, round(rate * 20 / 6)))
            for workers in (MAX_WORKERS, 1):
                if workers == 1:
                    artists = min(artists, 15)
                requests, seconds = measure(server.as_of_url, rate, artists, workers)
                least = requests / rate
                said = "auto" if workers > 1 else "1"
                print(
                    f"{rate:8.0f}  {said:>7}  {requests:8d}  {seconds:7.2f}"
                    f"  {least:13.2f}  {seconds / least:5.3f}",
                    flush=True,
                )
    with start_process(world="demo", today=DAY) as server:
        requests, seconds = measure(server.as_of_url, 5000.0, 300)
        print(
            f"without latency and limit: {requests} requests in {seconds:.2f} s,"
            f" {requests / seconds:,.0f} a second"
        )


if __name__ == "__main__":
    main()
