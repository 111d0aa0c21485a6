"""What the tests need from the operating system, brought up on demand.

Owns a throw-away PostgreSQL server made of the system's binaries (installed from Debian
where they are missing and this user may), and the way to Chromium. Never touches a
server that is already running: its own has a fresh folder and a free port.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psycopg2

MARKER = "scrobble-warehouse throw-away test database"


class SystemLacks(Exception):
    """The system has no such program and it cannot be installed; says what to do."""


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _installed(package: str) -> bool:
    """Install a Debian package where that is possible."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    if package == "postgresql":
        # Debian would otherwise make and start a cluster of its own.
        settings = Path("/etc/postgresql-common/createcluster.conf")
        if not settings.exists():
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text("create_main_cluster = false\n")
    # In this runlevel no package starts the server it brings.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    # apt-get refuses to run twice at once; tests run in several processes.
    with (Path(tempfile.gettempdir()) / "scrobble-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
        ):
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=600, check=False
            )
            if done.returncode != 0:
                return False
    return True


def postgres_binaries() -> Path:
    """The folder of the newest PostgreSQL server binaries, 15 or later.

    Raises:
        SystemLacks: there are none and they cannot be installed.
    """
    for attempt in range(2):
        found = [
            path.parent
            for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
            if int(path.parent.parent.name) >= 15
        ]
        if not found and (on_path := shutil.which("initdb")):
            said = subprocess.run(
                [on_path, "--version"], capture_output=True, text=True, check=True
            ).stdout
            if int(said.split()[2].split(".")[0]) >= 15:
                found = [Path(on_path).resolve().parent]
        if found:
            return max(found, key=lambda path: path.parent.name)
        if attempt == 0 and not _installed("postgresql"):
            break
    raise SystemLacks(
        "no PostgreSQL server binaries: install Debian's package `postgresql`"
        " (15 or later); the tests start a server of their own from it"
    )


def chromium() -> str:
    """The path of a Chromium.

    Raises:
        SystemLacks: there is none and it cannot be installed.
    """
    for attempt in range(2):
        for name in ("chromium", "chromium-browser", "google-chrome"):
            if found := shutil.which(name):
                return found
        if attempt == 0 and not _installed("chromium"):
            break
    raise SystemLacks("no Chromium: install Debian's package `chromium`")


def marked_database(url: str) -> str:
    """The URL of a database outside, after making sure that it is there for tests.

    Raises:
        SystemLacks: it does not carry the test marker; nothing was touched.
    """
    plain = url.replace("postgresql+psycopg2://", "postgresql://", 1)
    connection = psycopg2.connect(plain)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select datname, shobj_description(oid, 'pg_database') from pg_database"
                " where datname = current_database()"
            )
            name, comment = cursor.fetchall()[0]
    finally:
        connection.close()
    if comment != MARKER:
        raise SystemLacks(
            f"database {name} has no test marker and is left alone; tests empty the"
            " database they are given. If it is a throw-away one:"
            f" comment on database {name} is '{MARKER}'"
        )
    return "postgresql+psycopg2://" + plain.removeprefix("postgresql://")


def empty_database(url: str) -> None:
    """Drop every schema of a marked database."""
    plain = marked_database(url).replace("+psycopg2", "", 1)
    connection = psycopg2.connect(plain)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select nspname from pg_namespace where nspname <> 'information_schema'"
                " and not starts_with(nspname, 'pg_')"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'drop schema "{name}" cascade')
            cursor.execute("create schema public")
    finally:
        connection.close()


def chromedriver() -> str:
    """The path of the driver of that Chromium.

    Raises:
        SystemLacks: there is none and it cannot be installed.
    """
    for attempt in range(2):
        if found := shutil.which("chromedriver"):
            return found
        if attempt == 0 and not _installed("chromium-driver"):
            break
    raise SystemLacks("no chromedriver: install Debian's package `chromium-driver`")


@dataclass
class PostgresServer:
    """A running throw-away server."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    password: str
    binaries: Path

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """The URL of one of its databases."""
        return (
            f"postgresql+psycopg2://{user}:{self.password}@127.0.0.1:{self.port}"
            f"/{database}"
        )

    def run_sql(self, sql: str, database: str = "postgres") -> None:
        """Run statements as the superuser, outside a transaction."""
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self.password,
            dbname=database,
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()

    def new_database(self, options: str = "") -> str:
        """Make an empty database that carries the test marker; returns its URL.

        Args:
            options: of `create database`, such as its locale.
        """
        name = f"test_{secrets.token_hex(6)}"
        self.run_sql(
            f"create database {name} encoding 'UTF8' template template0 {options}"
        )
        self.run_sql(f"comment on database {name} is '{MARKER}'")
        return self.url(name)

    def copy_database(self, url: str) -> str:
        """Make a copy of a database that nobody is connected to; returns its URL."""
        name = f"test_{secrets.token_hex(6)}"
        source = url.rsplit("/", 1)[1]
        self.run_sql(f"create database {name} template {source} strategy file_copy")
        self.run_sql(f"comment on database {name} is '{MARKER}'")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database made by :meth:`new_database`, whoever is connected."""
        self.run_sql(f"drop database {url.rsplit('/', 1)[1]} with (force)")

    def stop(self) -> None:
        """Stop the server at once and remove its files."""
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)


def start_postgres() -> PostgresServer:
    """Start a server on 127.0.0.1 and a free port, as a user other than root.

    Raises:
        SystemLacks: no binaries, or no other user to run it as.
    """
    binaries = postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="scrobble-postgres-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    user: dict[str, str | int] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        shutil.chown(data, "postgres", "postgres")
        user = {"user": "postgres", "group": "postgres"}
    password = secrets.token_hex(16)
    secret = folder / "password"
    secret.write_text(password)
    if user:
        shutil.chown(secret, "postgres", "postgres")
    made = subprocess.run(
        [
            str(binaries / "initdb"),
            *("--pgdata", str(data), "--username", "postgres", "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        **user,  # type: ignore[call-overload]
    )
    if made.returncode != 0:
        raise SystemLacks(f"initdb failed: {made.stderr.strip()}")
    port = free_port()
    log = (folder / "server.log").open("wb")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "shared_buffers": "256MB",
        # Lost on a power cut, kept on a kill: enough for a throw-away server.
        "fsync": "off",
        "full_page_writes": "off",
        "max_wal_size": "2GB",
        "log_min_messages": "warning",
        "timezone": "UTC",
    }
    process = subprocess.Popen(
        [
            str(binaries / "postgres"),
            *("-D", str(data)),
            *(part for k, v in options.items() for part in ("-c", f"{k}={v}")),
        ],
        stdout=log,
        stderr=log,
        cwd=folder,
        **user,  # type: ignore[call-overload]
    )
    log.close()
    server = PostgresServer(folder, port, process, password, binaries)
    for _ in range(200):
        try:
            server.run_sql("select 1")
            return server
        except psycopg2.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    server.stop()
    raise SystemLacks("PostgreSQL did not start; see server.log in its folder")


@contextmanager
def transaction_pooler(
    server: PostgresServer, users: Mapping[str, str] = MappingProxyType({})
) -> Iterator[int]:
    """PgBouncer before the server, six sessions for all of a login; gives its port.

    Args:
        users: the passwords of logins beside the superuser.

    Raises:
        SystemLacks: there is no PgBouncer and it cannot be installed.
    """
    program = _pgbouncer()
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="scrobble-pooler-"))
    known = folder / "users.txt"
    known.write_text(
        "".join(
            f'"{name}" "{password}"\n'
            for name, password in {"postgres": server.password, **users}.items()
        )
    )
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {known}\n"
        "pool_mode = transaction\ndefault_pool_size = 6\nmax_client_conn = 200\n"
    )
    command = [program, str(settings)]
    if os.geteuid() == 0:  # it refuses to be root
        command += ["-u", "postgres"]
        for path in (folder, known, settings):
            shutil.chown(path, "postgres", "postgres")
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise SystemLacks("PgBouncer did not start")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _pgbouncer() -> str:
    return _server_program("pgbouncer")


def _server_program(name: str) -> str:
    """A program of Debian's package of that name, outside people's PATH."""
    for attempt in range(2):
        if found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin"):
            return found
        if attempt == 0 and not _installed(name):
            break
    raise SystemLacks(f"no {name}: install Debian's package `{name}`")


@contextmanager
def nginx(server_block: str, port: int) -> Iterator[None]:
    """nginx with one server, as a user other than root, on a port of 127.0.0.1.

    Raises:
        SystemLacks: there is no nginx and it cannot be installed, or it does not start.
    """
    program = _server_program("nginx")
    folder = Path(tempfile.mkdtemp(prefix="scrobble-nginx-"))
    user = "www-data" if os.geteuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = folder / "nginx.conf"
    settings.write_text(
        f"pid {folder / 'pid'};\nerror_log {folder / 'error.log'};\ndaemon off;\n"
        + (f"user {user};\n" if user else "")
        + "events { worker_connections 2048; }\n"
        + f"http {{\naccess_log off;\n{temporary}{server_block}\n}}\n"
    )
    if user:
        folder.chmod(0o755)
    with (folder / "said.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(settings)], stdout=log, stderr=log
        )
    try:
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise SystemLacks((folder / "said.log").read_text())
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server(port: int) -> Iterator[str]:
    """A Redis without a disk on a port of 127.0.0.1, as another user; gives its URL.

    Raises:
        SystemLacks: there is no redis-server and it cannot be installed.
    """
    program = _server_program("redis-server")
    user: dict[str, str] = {"user": "nobody"} if os.geteuid() == 0 else {}
    process = subprocess.Popen(
        [
            *(program, "--bind", "127.0.0.1", "--port", str(port)),
            *("--save", "", "--appendonly", "no", "--dir", "/tmp"),
        ],
        stdout=subprocess.DEVNULL,
        **user,  # type: ignore[call-overload]
    )
    try:
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def streaming_standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A hot standby of a throw-away server, following it by streaming."""
    folder = Path(tempfile.mkdtemp(prefix="scrobble-standby-"))
    data = folder / "data"
    user: dict[str, str | int] = {}
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        user = {"user": "postgres", "group": "postgres"}
    port = free_port()
    hba = primary.folder / "data" / "pg_hba.conf"
    with hba.open("a") as rules:
        rules.write("host replication postgres 127.0.0.1/32 scram-sha-256\n")
    primary.run_sql("select pg_reload_conf()")
    given = {
        **{"cwd": folder, "check": True, "capture_output": True, **user},
        "env": {**os.environ, "PGPASSWORD": primary.password},
    }
    address = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
    backup = (str(primary.binaries / "pg_basebackup"), "-D", str(data), "-R", *address)
    subprocess.run([*backup, "--checkpoint=fast", "--no-sync"], **given)  # type: ignore[call-overload]
    data.chmod(0o700)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(str(primary.binaries / "postgres"), "-D", str(data)),
                *("-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"),
                *("-c", "unix_socket_directories=", "-c", "fsync=off"),
                *("-c", "max_connections=200", "-c", "timezone=UTC"),
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
            **user,  # type: ignore[call-overload]
        )
    standby = PostgresServer(folder, port, process, primary.password, primary.binaries)
    try:
        for _ in range(400):
            try:
                standby.run_sql("select 1")
                break
            except psycopg2.OperationalError:
                if process.poll() is not None:
                    raise SystemLacks((folder / "server.log").read_text()) from None
                time.sleep(0.05)
        yield standby
    finally:
        standby.stop()


@contextmanager
def small_disk(disk: Path, size: int) -> Iterator[str]:
    """A disk of so many bytes in this folder; gives why there is none, if so."""
    if os.geteuid() != 0:
        yield "only root can mount the small disk this test fills"
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        yield f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}"
        return
    try:
        yield ""
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
