"""docs/settings.md and the code name the same settings; one module reads the
environment."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from warehouse.settings import GROUPS, OTHER_VARIABLES, SettingsGroup, Unit, shown

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
FLAG_OF = {"warehouse": "all commands", "serve": "`serve`", "exchange": "`simulate`"}

#: Modules that touch the environment beside `warehouse.settings`, and why.
ENVIRONMENT_USERS = {
    "warehouse/settings.py": "reads every setting",
    "warehouse/backup.py": "lends pg_dump its password",
    "warehouse/build.py": "lends dbt its variables for one invocation",
    "ingest/load/stage.py": "lends dlt its variables for one load",
    "serve/cli.py": "hands flags to the processes it starts",
}


def row(name: str, group_name: str, group: type[SettingsGroup]) -> str:
    """The line of the table that the code says."""
    field = group.model_fields[name]
    unit = next((data.name for data in field.metadata if isinstance(data, Unit)), "")
    default = "" if field.default in (None, ()) else f"`{shown(field.default)}`"
    cells = (
        f"`{group.variable(name)}`",
        field.description or "",
        unit,
        default,
        group_name,
        f"`{group.flag(name)}`",
    )
    return "| " + " | ".join(cells) + " |"


def rows() -> list[str]:
    return [
        row(name, group_name, group)
        for group_name, group in sorted(
            GROUPS.all().items(), key=lambda item: list(FLAG_OF).index(item[0])
        )
        for name in group.setting_names()
    ]


def test_every_setting_is_in_the_table_and_the_table_has_no_other() -> None:
    table = re.findall(r"^\| `[A-Z_]+` \|.*\| `--.*$", DOCUMENT, re.MULTILINE)
    assert table == rows(), "the table must read:\n" + "\n".join(rows())


def test_every_setting_has_a_meaning_and_says_its_unit() -> None:
    for group in GROUPS.all().values():
        for name in group.setting_names():
            field = group.model_fields[name]
            assert field.description, name
            assert any(isinstance(data, Unit) for data in field.metadata), name


def test_every_other_variable_is_described() -> None:
    others = set(re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \|$", DOCUMENT, re.MULTILINE))
    assert others == OTHER_VARIABLES


def test_what_dbt_reads_is_known() -> None:
    files = [ROOT / "profiles.yml.example", *(ROOT / "dbt_project").rglob("*.sql")]
    read = {
        name
        for path in files
        if "target" not in path.relative_to(ROOT).parts
        for name in re.findall(r"env_var\('(\w+)'", path.read_text(encoding="utf-8"))
    }
    assert read and read <= OTHER_VARIABLES


def environment_users(root: Path) -> set[str]:
    """The modules below `root` that use ``os.environ`` or ``os.getenv``."""
    users = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                {node.attr}
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
                else {alias.name for alias in node.names}
                if isinstance(node, ast.ImportFrom) and node.module == "os"
                else set()
            )
            if names & {"environ", "environb", "getenv", "putenv"}:
                users.add(str(path.relative_to(root.parent)))
    return users


def test_the_environment_is_read_in_one_place() -> None:
    packages = ("warehouse", "ingest", "local_lastfm", "exchange", "serve")
    users = set().union(*(environment_users(ROOT / name) for name in packages))
    assert users == set(ENVIRONMENT_USERS)


@pytest.mark.parametrize(
    "source",
    ["import os\nos.getenv('X')", "from os import environ", "import os\nos.environ"],
)
def test_the_control_a_read_of_the_environment_is_seen(
    tmp_path: Path, source: str
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(source)
    assert environment_users(tmp_path / "package") == {"package/module.py"}


def test_options_read_known_variables_only() -> None:
    for package in ("warehouse", "ingest", "local_lastfm", "exchange", "serve"):
        for path in (ROOT / package).rglob("*.py"):
            names = re.findall(r"envvar=\"(\w+)\"", path.read_text(encoding="utf-8"))
            assert set(names) <= OTHER_VARIABLES, path
