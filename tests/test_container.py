"""What Dockerfile and compose.yaml say, done in a plain folder where no engine is.

The files that COPY names are put into a folder, the steps are run there but for the
download of packages (this environment's are used), the folder is made read-only, and a
day and the service run in it, as another user where one can reach this Python. Nothing
in the folder may have changed then.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import yaml
from click import Command, Group

from local_lastfm import LocalLastfm
from tests.daily_runs import FIRST_DAY, SMALL
from tests.system import free_port
from warehouse.cli import cli

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OURS = ("init", "daily", "service")


def steps(name: str) -> list[list[str]]:
    """The arguments of every such instruction of the Dockerfile, in its order."""
    return [
        shlex.split(rest) for rest in re.findall(rf"^{name} (.+)$", DOCKERFILE, re.M)
    ]


def copied(target: Path) -> None:
    """Put what COPY names where it says, as far as the files are in the repository."""
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for *sources, place in steps("COPY"):
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target / place, ignore=ignored)
            else:
                shutil.copy(ROOT / source, target / place)


def environment_of(folder: Path) -> None:
    """A .venv in the folder with this environment's packages and the folder's own."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(folder / ".venv")],
        check=True,
    )
    library = sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")})
    ours = Path(library) / "here.pth"
    ours.write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
    # Console scripts are what pip would have made of the entry points.
    scrobble = folder / ".venv" / "bin" / "scrobble"
    scrobble.write_text(
        f"#!{folder}/.venv/bin/python\nfrom warehouse.cli import main\nmain()\n"
    )
    scrobble.chmod(0o755)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what the image has in /app, which nobody may write."""
    # Another user must be able to come here: not below a folder of root alone.
    folder = Path("/tmp") / f"scrobble-image-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        copied(folder)
        environment_of(folder)
        for step in steps("RUN"):
            if "pip" in step or "venv" in step or "useradd" in step:
                continue
            subprocess.run(step, cwd=folder, check=True, timeout=300)
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def another_user() -> dict[str, int]:
    """Who runs it: nobody, where this is root and nobody can reach this Python."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("nobody")
    who = {"user": entry.pw_uid, "group": entry.pw_gid}
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, **who)
    except PermissionError:
        return {}
    return who


def entry_point(image: Path, *arguments: str) -> list[str]:
    (program,) = re.findall(r'^ENTRYPOINT \["(.+)"\]$', DOCKERFILE, re.M)
    return [str(image / program), *arguments]


def test_a_day_and_the_service_need_nothing_but_the_data_folder(
    image: Path, demo: LocalLastfm
) -> None:
    before = seen(image)
    data = Path(f"{image}-data")
    data.mkdir(mode=0o700)
    who = another_user()
    if who:
        os.chown(data, who["user"], who["group"])
    port = free_port()
    given = {
        **SMALL,
        "PATH": os.environ["PATH"],
        "LASTFM_URL": demo.as_of_url,
        "LASTFM_LISTENERS": ",".join(demo.world.listeners[:2]),
        "DATA_DIR": str(data),
        "HOME": "/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(port),
    }
    try:
        daily = subprocess.run(
            entry_point(image, "daily", "--as-of", str(FIRST_DAY)),
            cwd=image,
            env=given,
            capture_output=True,
            text=True,
            timeout=300,
            **who,
        )
        assert daily.returncode == 0, daily.stdout + daily.stderr
        service = subprocess.Popen(
            entry_point(image, "serve", "--workers", "1", "--no-jobs"),
            cwd=image,
            env=given,
            start_new_session=True,
            **who,
        )
        try:
            assert ready(port)["data"]["as_of"] == str(FIRST_DAY)
        finally:
            service.send_signal(signal.SIGINT)
            service.wait(timeout=30)
        assert seen(image) == before
    finally:
        shutil.rmtree(data, ignore_errors=True)


def ready(port: int) -> dict[str, dict[str, object]]:
    """What `/ready` says once it is; waits a minute for it."""
    until = time.monotonic() + 60
    while True:
        try:
            answer = httpx2.get(f"http://127.0.0.1:{port}/ready")
            if answer.status_code == 200:
                found: dict[str, dict[str, object]] = answer.json()
                return found
        except httpx2.TransportError:
            pass
        assert time.monotonic() < until, "the service is not ready"
        time.sleep(0.2)


def seen(image: Path) -> dict[str, int]:
    """Every file of the folder and when it was written, in nanoseconds."""
    return {str(path): path.lstat().st_mtime_ns for path in image.rglob("*")}


def test_the_control_what_is_written_later_is_seen(image: Path) -> None:
    before = seen(image)
    late = image / "late"
    image.chmod(0o755)
    late.touch()
    assert seen(image).keys() - before.keys() == {str(late)}
    late.unlink()
    image.chmod(0o555)


def command_of(words: list[str]) -> Command:
    """The command these words name; fails where there is none."""
    found: Command = cli
    for word in words:
        if isinstance(found, Group) and not word.startswith("-"):
            with found.make_context("scrobble", [], resilient_parsing=True) as context:
                inner = found.get_command(context, word)
            if inner is None:
                break
            found = inner
    assert found is not cli, words
    return found


def test_the_commands_of_the_composition_exist() -> None:
    services = COMPOSE["services"]
    assert command_of(services["init"]["command"]).name == "init"
    assert command_of(services["service"]["command"]).name == "command"
    (loop,) = services["daily"]["command"]
    assert ".venv/bin/scrobble daily;" in loop
    with pytest.raises(AssertionError):
        command_of(["nothing"])


def test_of_the_composition_only_the_proxy_can_be_reached() -> None:
    services = COMPOSE["services"]
    assert {name for name, each in services.items() if "ports" in each} == {"service"}
    assert services["service"]["ports"] == ["80:80", "443:443"]
    assert services["proxy"]["network_mode"] == "service:service"
    assert "SERVE_HOST" not in DOCKERFILE + str(services), "it listens on 127.0.0.1"


def test_nothing_of_ours_is_root_or_writes_its_root() -> None:
    assert steps("USER")[-1] == ["scrobble"]
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert "ADMIN_PASSWORD" not in str(service) or name == "init", name


def test_the_files_the_composition_mounts_are_here_or_named_at_its_top() -> None:
    said = (ROOT / "compose.yaml").read_text().split("x-scrobble")[0]
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith("./"):
                name = source[2:]
                assert (ROOT / name).exists() or Path(name).name in said, source
        for name in service.get("env_file", ()):
            assert name in said, name


def test_every_package_is_copied_and_nothing_that_is_ignored() -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    named = {
        source
        for *sources, _ in steps("COPY")
        for source in sources
        if not source.startswith("--") and source != "/app"
    }
    assert named == kept
