"""How quickly /health answers beside clients that are slow, and beside nobody.

    python -m bench.slow_clients [--seconds N] [--data-dir DIR]

Before the service stands nginx with the file of the repository. 200 clients never
finish their body, 200 read a large answer byte by byte, and 4 ask one computed answer
after the other; the peer is the same service in the same run without them. DIR is a
warehouse of the demo world; without it a small one is made.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

SLOW = 200
DEAR = (
    "/api/v1/insights/top/tracks?range=all&limit=500&offset={n}",
    "/api/v1/rankings/pairs?limit=100&offset={n}",
    "/charts/panel_tracks?position={n}",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.serve import test_proxy
    from tests.system import free_port, nginx

    with tempfile.TemporaryDirectory() as folder:
        data = given.data_dir or _small_warehouse(Path(folder))
        test_proxy.make_certificate(Path(folder))
        port = free_port()
        with (
            _service(data) as service,
            nginx(test_proxy.documented(service, port, Path(folder)), port),
        ):
            alone = _waits(port, given.seconds / 3)
            with ExitStack() as stack:
                context = test_proxy.insecure()
                senders = test_proxy.slow_senders(port, SLOW, context)
                stack.enter_context(senders)
                stack.enter_context(_slow_readers(port))
                asked = stack.enter_context(_dear_clients(port))
                beside = _waits(port, given.seconds)
    ratio = beside["p50_ms"] / alone["p50_ms"]
    print(
        json.dumps(
            {
                "alone": alone,
                "beside": {**beside, "computed_answers": next(asked)},
                "ratio": round(ratio, 1),
            },
            indent=2,
        )
    )


def _small_warehouse(folder: Path) -> Path:
    from tests.serve.marts import make_world, publish, version_path, write_duckdb

    world, version = make_world(), "20260314-000001"
    write_duckdb(world, version_path(folder / "data", version))
    publish(folder / "data", version, world.as_of)
    return folder / "data"


@contextmanager
def _service(data: Path) -> Iterator[str]:
    from tests.serve.test_command import PROGRAM, environment
    from tests.system import free_port

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={
            **environment(data),
            "PORT": str(port),
            "SERVE_RATE_LIMIT": "1000000 per minute",
        },
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                if httpx2.get(f"{address}/health").status_code == 200:
                    break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


@contextmanager
def _slow_readers(port: int) -> Iterator[None]:
    """Clients that ask for a large answer and take next to nothing of it."""
    from tests.serve.test_proxy import insecure

    asked = b"GET /openapi.json HTTP/1.1\r\nHost: music.example.org\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(SLOW):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            client.connect(("127.0.0.1", port))
            wrapped = insecure().wrap_socket(
                client, server_hostname="music.example.org"
            )
            stack.enter_context(wrapped)
            wrapped.sendall(asked)
        yield


@contextmanager
def _dear_clients(port: int) -> Iterator[Iterator[int]]:
    """Four clients; gives how many answers they had so far."""
    from tests.serve.test_proxy import insecure

    stop = threading.Event()
    number = itertools.count()

    def ask() -> None:
        address = f"https://127.0.0.1:{port}"
        with httpx2.Client(verify=insecure(), timeout=60, base_url=address) as client:
            while not stop.is_set():
                n = next(number)
                client.get(DEAR[n % len(DEAR)].format(n=n // len(DEAR)))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield number
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def _waits(port: int, seconds: float) -> dict[str, float]:
    from tests.serve.test_proxy import insecure

    waits = []
    until = time.monotonic() + seconds
    with httpx2.Client(
        verify=insecure(), timeout=30, base_url=f"https://127.0.0.1:{port}"
    ) as client:
        while time.monotonic() < until:
            began = time.perf_counter()
            client.get("/health").raise_for_status()
            waits.append(1000 * (time.perf_counter() - began))
            time.sleep(0.05)
    waits.sort()
    return {
        "asked": len(waits),
        "p50_ms": round(statistics.median(waits), 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)], 1),
        "longest_ms": round(waits[-1], 1),
    }


if __name__ == "__main__":
    main()
