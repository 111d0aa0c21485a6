"""Builds and tests the marts: one in-process dbt invocation, and the docs site.

Owns the calling of dbt: profile variables, vars, progress and the verdict. A test that
failed, was skipped or never ran is a failed build.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from warehouse import docs_page
from warehouse.duckdb_store import FILE
from warehouse.errors import BuildFailed
from warehouse.marts import Mart, read_marts
from warehouse.project import PROFILE, PROJECT, files_hash
from warehouse.redact import redact
from warehouse.run import Target
from warehouse.version_file import reading

# Where installing leaves the parsed project, for each engine.
INSTALLED = PROJECT / "target"
# What the largest models need of memory for each row of raw: measured at ten million
# plays by 10,000 listeners.
_BYTES_A_ROW = 4_000

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class BuildResult:
    """What dbt did: counts of models and tests, and seconds inside dbt.

    `marts` is what the project says of each mart it built.
    """

    models: int
    tests: int
    seconds: float
    seconds_starting: float
    slowest: tuple[tuple[str, float], ...]
    marts: dict[str, Mart]


def build(
    target: Target,
    *,
    as_of_date: date,
    built_through: int,
    work_dir: Path,
    threads: int,
    progress: Progress,
    version: str = "",
    project: Any = None,
) -> BuildResult:
    """Run and test every model.

    Args:
        built_through: loads up to this id are in the marts already; 0 builds them anew.
        work_dir: the run's own folder, for dbt's target and logs.
        version: the name under which the marts will be published.
        project: of :func:`parsed_project`; parsed here where it is None.

    Raises:
        BuildFailed: naming the models and tests that failed, with the log's path, or
            the mart that lacks what publishing needs to know.
    """
    dbt_target = work_dir / "dbt"
    dbt_target.mkdir(parents=True, exist_ok=True)
    if project is None:
        parsed = invoke_dbt(target, ["parse"], dbt_target, _day(as_of_date, 0, 1))
        if not parsed.success:
            raise BuildFailed(_explain([], parsed.exception, dbt_target))
        project = parsed.result
    marts = read_marts(project)
    # Unit tests test the models, not the day: they run with the project's own tests.
    # An exposure makes nothing, but would be a node.
    command = ["build", "--no-write-json", "--exclude-resource-type", "unit_test"]
    command += ["--exclude-resource-type", "exposure"]
    command += scope(built_through)
    day = _day(as_of_date, built_through, threads)
    day["SCROBBLE_VERSION"] = version
    watcher = _Watcher(progress)
    result = invoke_dbt(target, command, dbt_target, day, watcher, project)
    found = list(result.result or ())
    failed = [
        node
        for node in found
        if str(node.status) not in ("success", "pass", "warn", "no-op")
    ]
    if failed or not result.success:
        raise BuildFailed(_explain(failed, result.exception, dbt_target))
    kinds = [node.node.resource_type for node in found]
    if (missing := watcher.expected - len(found)) > 0:
        raise BuildFailed(f"{missing} dbt nodes never ran; see {dbt_target}/dbt.log")
    if built_through == 0:
        operate("drop_leftovers", target, dbt_target, day, project)
    operate("check_generic_tests", target, dbt_target, day, project)
    tests = kinds.count("test") + sum(
        getattr(node, "test_metadata", None) is not None
        for node in project.nodes.values()
    )
    by_time = sorted(found, key=lambda node: -node.execution_time)
    return BuildResult(
        models=sum(kind in ("model", "seed", "snapshot") for kind in kinds),
        tests=tests,
        seconds=sum(node.execution_time for node in found),
        seconds_starting=watcher.seconds_starting,
        slowest=tuple(
            (node.node.name, round(node.execution_time, 2)) for node in by_time[:5]
        ),
        marts=marts,
    )


def at_once(target: Target, threads: int) -> int:
    """How many models to build at once: `threads`, but one where DuckDB holds much.

    DuckDB uses all cores for one model as it is, and two large ones at once do not find
    room in memory: of ten million plays they took three times as long as in turn.
    """
    if target.duckdb_path is None:
        return threads
    with reading(target.duckdb_path) as connection:
        found = connection.execute(
            "select coalesce(sum(estimated_size), 0) from duckdb_tables()"
            " where schema_name = 'raw'"
        ).fetchone()
    assert found is not None
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 if found[0] * _BYTES_A_ROW > memory else threads


def scope(built_through: int) -> list[str]:
    """dbt's arguments for what is to be made, and how, on a day like this.

    Generic tests are no nodes here: the macro `check_generic_tests` runs them as one.
    """
    if built_through == 0:
        return ["--full-refresh", "--exclude", "test_type:generic"]
    # Views are there since the first day of this project.
    left_out = ["test_type:generic", "config.materialized:view"]
    return ["--exclude", *left_out, "--indirect-selection", "empty"]


def operate(
    macro: str, target: Target, dbt_target: Path, day: dict[str, str], project: Any
) -> None:
    """Run a macro of the project by itself.

    Raises:
        BuildFailed: with what the macro says.
    """
    command = ["run-operation", "--no-write-json", macro]
    errors: list[str] = []

    def note(event: Any) -> None:
        # The result of an operation does not say why it failed.
        if str(event.info.level) == "error":
            errors.append(" ".join(event.info.msg.split()))

    result = invoke_dbt(target, command, dbt_target, day, note, project)
    if not result.success:
        reason = " ".join(errors) or result.exception or "no reason given"
        raise BuildFailed(
            redact(
                f"{macro} failed; the last version stays published\n  {reason}\n"
                f"  log: {dbt_target}/dbt.log"
            )
        )


def parsed_project(target: Target, cache_dir: Path, work_dir: Path) -> Any:
    """Get this process ready to build; returns the parsed project for :func:`build`.

    It is None where dbt cannot parse it; the build says why.

    Args:
        target: names the engine and the database to build in.
        cache_dir: where the parsed project is kept between runs, if installing did
            not leave it; parsing it takes longer than a further day's models.
        work_dir: for what dbt writes meanwhile; nobody needs it afterwards.
    """
    name = _parsed_name(target)
    parsed = cache_dir / name
    project = _read_parsed(parsed, target) or _read_parsed(INSTALLED / name, target)
    if target.duckdb_path is not None:
        target = Target(duckdb_path=work_dir / target.duckdb_path.name)
    day = _day(date(2000, 1, 1), 0, 1)
    # With a project there is nothing left to parse, but a process's first invocation
    # imports and prepares for seconds what the next one finds.
    if not invoke_dbt(target, ["parse"], work_dir, day, project=project).success:
        return None
    if project is None:
        _keep_parsed(work_dir / "partial_parse.msgpack", parsed)
        project = _read_parsed(parsed, target)
    return project


def write_docs(target: Target, *, site: Path, cache_dir: Path, work_dir: Path) -> Path:
    """Write the docs site as one page that opens without a network.

    Args:
        cache_dir: as of :func:`parsed_project`.

    Raises:
        BuildFailed: dbt could not describe the project.
    """
    dbt_target = work_dir / "dbt"
    dbt_target.mkdir(parents=True, exist_ok=True)
    command = ["docs", "generate", "--static"]
    project = parsed_project(target, cache_dir, dbt_target)
    result = invoke_dbt(target, command, dbt_target, {}, project=project)
    if not result.success:
        raise BuildFailed(_explain([], result.exception, dbt_target))
    site.mkdir(parents=True, exist_ok=True)
    page = site / "index.html"
    written = (dbt_target / "static_index.html").read_text(encoding="utf-8")
    page.write_text(docs_page.mended(written), encoding="utf-8")
    return page


def _day(as_of_date: date, built_through: int, threads: int) -> dict[str, str]:
    return {
        "SCROBBLE_AS_OF_DATE": as_of_date.isoformat(),
        "SCROBBLE_BUILT_THROUGH": str(built_through),
        "SCROBBLE_THREADS": str(threads),
    }


def invoke_dbt(
    target: Target,
    command: list[str],
    dbt_target: Path,
    day: dict[str, str],
    watcher: Callable[[Any], None] | None = None,
    project: Any = None,
) -> Any:
    """Run one command of dbt in this process; returns dbt's own result.

    Args:
        dbt_target: for what dbt writes, and its log.
        day: the variables of the environment that the models read.
        watcher: called with each of dbt's events.
        project: of :func:`parsed_project`; dbt parses again where it is None.
    """
    # dbt would look for a relative path inside the project.
    dbt_target = dbt_target.resolve()
    # Imported here: it takes a second, and most commands never need it.
    from dbt.cli.main import dbtRunner

    profiles = dbt_target / "profile"
    profiles.mkdir(exist_ok=True)
    shutil.copyfile(PROFILE, profiles / "profiles.yml")
    arguments = [
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        # Its loggers make a line of each event before they look at the level.
        "--log-level",
        "none",
        "--log-level-file",
        "none",
        "--log-path",
        str(dbt_target),
        *command,
        "--project-dir",
        str(PROJECT),
        "--profiles-dir",
        str(profiles),
        "--target-path",
        str(dbt_target),
        "--target",
        _engine(target),
    ]
    with _environment(target, day), _log_of(dbt_target) as log:
        try:
            callbacks = [log] if watcher is None else [log, watcher]
            return dbtRunner(manifest=project, callbacks=callbacks).invoke(arguments)
        finally:
            _close_connections(target)


def _engine(target: Target) -> str:
    """The name of the profile's target."""
    return "postgres" if target.duckdb_path is None else "duckdb"


def _database(target: Target) -> str:
    """The database's name as the models' statements have it."""
    if target.duckdb_path is not None:
        return target.duckdb_path.stem
    return make_url(str(target.url)).database or ""


def _parsed_name(target: Target) -> str:
    """The file of the parsed project: its name changes with all that parsing reads.

    dbt's own check parses anew where any part of the connection changed, and each run
    has a file or an application name of its own, which no model reads.
    """
    packages = ("dbt-core", "dbt-adapters", "dbt-duckdb", "dbt-postgres")
    versions = " ".join(version(package) for package in packages)
    key = f"{versions} {files_hash()}" + PROFILE.read_text(encoding="utf-8")
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{_engine(target)}-{digest[:16]}.msgpack"


def _read_parsed(parsed: Path, target: Target) -> Any:
    """The parsed project for this database, or None where it has to be parsed."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    try:
        project = Manifest.from_msgpack(
            parsed.read_bytes(), decoder=extended_mashumuro_decoder
        )
    except Exception:  # no file yet, or one cut short by a full disk: parse anew
        return None
    # All that parsing for another database would have written otherwise.
    database = _database(target)
    for node in (*project.nodes.values(), *project.sources.values()):
        if node.relation_name is not None:
            inside = node.relation_name.removeprefix(f'"{node.database}"')
            node.relation_name = f'"{database}"{inside}'
        node.database = database
    project.build_flat_graph()
    return project


def _keep_parsed(fresh: Path, parsed: Path) -> None:
    """Keep what dbt parsed, instead of what was parsed of an older project."""
    parsed.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fresh, parsed.with_suffix(".new"))
    engine, _ = parsed.name.split("-")
    for old in parsed.parent.glob(f"{engine}-*.msgpack"):
        old.unlink()
    parsed.with_suffix(".new").replace(parsed)


def _close_connections(target: Target) -> None:
    if target.duckdb_path is not None:
        # dbt keeps the file open in this process, and nobody else could open it.
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()


@contextmanager
def _environment(target: Target, day: dict[str, str]) -> Iterator[None]:
    """The profile's and the day's variables, for the time of one invocation.

    The day's are not dbt vars: with another value on another day these would make dbt
    parse the whole project again.
    """
    values = dict(day)
    if target.duckdb_path is not None:
        values["SCROBBLE_DUCKDB_PATH"] = str(target.duckdb_path.resolve())
    elif target.url is not None:
        url = make_url(target.url)
        values |= {
            "SCROBBLE_PG_HOST": url.host or str(url.query.get("host", "")),
            "SCROBBLE_PG_PORT": str(url.port or url.query.get("port", 5432)),
            "SCROBBLE_PG_USER": url.username or "",
            "SCROBBLE_PG_PASSWORD": str(url.password or ""),
            "SCROBBLE_PG_DATABASE": url.database or "",
            "SCROBBLE_PG_APPLICATION": f"scrobble-{target.fence}",
            "SCROBBLE_FENCE": str(target.fence),
            "SCROBBLE_MARTS_SCHEMA": "marts_build",
        }
        # The profile has no field for these; libpq reads them for every connection.
        values |= {
            f"PG{name.upper()}": str(url.query[name])
            for name in ("passfile", "sslmode", "sslcert", "sslkey", "sslrootcert")
            if name in url.query
        }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _log_of(dbt_target: Path) -> Iterator[Callable[[Any], None]]:
    """Writes what dbt says, debugging aside, to its log."""
    handler = logging.FileHandler(dbt_target / "dbt.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-5s %(message)s"))
    log = logging.Logger("dbt")
    log.addHandler(handler)

    def write(event: Any) -> None:
        level = str(event.info.level)
        if level not in ("debug", "test"):
            log.log(logging.getLevelName(level.upper()), redact(event.info.msg))

    try:
        yield write
    finally:
        handler.close()


class _Watcher:
    """Counts dbt's events for the progress bar."""

    def __init__(self, progress: Progress) -> None:
        self._started = time.monotonic()
        self.seconds_starting = 0.0
        self.expected = 0
        self._done = 0
        self._progress = progress

    def __call__(self, event: Any) -> None:
        name = event.info.name
        if name == "NodeStart" and not self.seconds_starting:
            self.seconds_starting = time.monotonic() - self._started
        elif name == "ConcurrencyLine":
            self.expected = int(event.data.node_count)
        elif name == "NodeFinished":
            self._done += 1
            info = event.data.node_info.node_name
            self._progress(self._done, self.expected or None, info)


def _explain(failed: list[Any], exception: BaseException | None, where: Path) -> str:
    if not failed:
        return redact(f"dbt did not run: {exception or 'no reason given'}; see {where}")
    bad = [node for node in failed if str(node.status) != "skipped"] or failed
    lines = [
        f"  {node.node.resource_type} {node.node.name}: {node.status}"
        f" — {' '.join(str(node.message or '').split())[:400]}"
        for node in bad[:10]
    ]
    skipped = len(failed) - len(bad)
    tail = f"\n  and {skipped} skipped because of them" if skipped else ""
    return redact(
        f"{len(bad)} of the day's models or tests did not pass; the last version stays"
        f" published\n" + "\n".join(lines) + tail + f"\n  log: {where}/dbt.log"
    )


def _install(target: Target) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return parsed_project(target, INSTALLED, Path(folder)) is not None


if __name__ == "__main__":
    engines = (
        Target(duckdb_path=Path(FILE)),
        Target(url="postgresql+psycopg2://127.0.0.1/warehouse"),
    )
    with ProcessPoolExecutor(len(engines)) as pool:
        if not all(pool.map(_install, engines)):
            raise SystemExit(f"error: dbt cannot parse {PROJECT}; see `scrobble build`")
