"""The layers of the project: who may import whom, and what may stand in the tree."""

from __future__ import annotations

import ast
import re
import subprocess
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_NOT_IMPORT = {
    "warehouse": {"ingest", "local_lastfm", "exchange", "serve", "flask", "pylast"},
    "ingest": {"exchange", "serve", "dbt", "flask"},
    "local_lastfm": {"exchange", "serve", "dbt", "dlt"},
    "exchange": {"ingest", "local_lastfm", "serve", "dbt", "dlt", "flask"},
    "serve": {"ingest", "local_lastfm", "dbt", "dlt"},
}


def imported_packages(source: str) -> set[str]:
    """The top-level packages a module imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def imported_modules(source: str, known: set[str]) -> set[str]:
    """The modules among `known` that a module imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from package import module` imports the module, not what is beside it.
            found |= (inside & known) or {node.module}
    return found & known


def circles(sources: dict[str, str]) -> list[list[str]]:
    """The groups of modules (source by name) that import each other in a circle."""
    graph = {
        name: imported_modules(source, set(sources)) - {name}
        for name, source in sources.items()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        return [error.args[1]]
    return []


def module_sources(package: str) -> dict[str, str]:
    """The source of each module of a package, by its dotted name."""
    found = {}
    for path in modules(package):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return found


def long_functions(source: str, most: int = 70) -> list[str]:
    """The functions of a module that have more lines than `most`."""
    return [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= most
    ]


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(MAY_NOT_IMPORT))
def test_a_package_imports_nothing_it_must_not_know(package: str) -> None:
    assert modules(package), f"{package} has no modules"
    wrong = {
        str(path.relative_to(ROOT)): sorted(bad)
        for path in modules(package)
        if (bad := imported_packages(path.read_text()) & MAY_NOT_IMPORT[package])
    }
    assert wrong == {}


@pytest.mark.parametrize("package", sorted(MAY_NOT_IMPORT))
def test_the_modules_of_a_package_import_each_other_in_one_direction(
    package: str,
) -> None:
    assert circles(module_sources(package)) == []


def test_the_control_a_circle_is_found_where_an_import_is_inside_a_function() -> None:
    sources = {
        "warehouse": "",
        "warehouse.a": "from warehouse import b\n",
        "warehouse.b": "def f():\n    from warehouse.c import d\n",
        "warehouse.c": "import warehouse.a\n",
    }
    (circle,) = circles(sources)
    assert set(circle) == {"warehouse.a", "warehouse.b", "warehouse.c"}
    assert circles(sources | {"warehouse.c": "import warehouse\n"}) == []


def test_a_function_of_the_warehouse_fits_in_70_lines() -> None:
    sources = module_sources("warehouse")
    assert {n: long for n, s in sources.items() if (long := long_functions(s))} == {}
    # The control: one line more is too long.
    body = "    pass\n" * 69
    assert long_functions(f"def f():\n{body}") == []
    assert long_functions(f"def f():\n{body}    pass\n") == ["f (71 lines)"]


def test_the_control_an_import_inside_a_function_is_seen() -> None:
    source = "def f():\n    from serve.app import create_app\n    import dbt.cli\n"
    assert imported_packages(source) == {"serve", "dbt"}


def test_production_code_reaches_the_local_lastfm_by_its_url_only() -> None:
    users = {
        str(path.relative_to(ROOT))
        for package in ("warehouse", "ingest", "exchange", "serve")
        for path in modules(package)
        if "local_lastfm" in path.read_text()
    }
    # The step starts it as a child process where no key is set; all else is HTTP.
    assert users <= {"ingest/lastfm/servers.py"}


def test_every_module_says_what_it_owns() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in MAY_NOT_IMPORT
        for path in modules(package)
        if path.read_text().strip()
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_tree_names_no_machine_path_and_no_registry_host() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = ["py" + "pi.org", "python" + "hosted", "npm" + "js.org", "deb.deb" + "ian"]
    pattern = re.compile(
        "|".join(map(re.escape, [*hosts, "/ro" + "ot/", "/wo" + "rk/"]))
    )
    wrong = [
        name
        for name in tracked
        if (ROOT / name).is_file()
        and pattern.search((ROOT / name).read_text(encoding="utf-8", errors="replace"))
    ]
    assert wrong == []


def test_every_locked_package_has_a_hash() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line for line in lines if re.match(r"^[a-z0-9].*==", line)]
    assert len(pinned) > 50
    assert all(line.rstrip().endswith("\\") for line in pinned)


LONGEST_FUNCTION = 70
#: Longer functions that are known, with their length: the list only shrinks.
LONG_FUNCTIONS = {
    # One statement after the other: the tables as they were first made.
    "exchange/migrations/versions/0001_create_the_trading_tables.py:upgrade": 599,
}


def function_lengths(source: str) -> dict[str, int]:
    """The lines of each function and method, by name; the longest of equal names."""
    lengths: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            lengths[node.name] = max(lines, lengths.get(node.name, 0))
    return lengths


@pytest.mark.parametrize("package", [*sorted(MAY_NOT_IMPORT), "bench"])
def test_a_function_fits_a_screen(package: str) -> None:
    long = {
        f"{path.relative_to(ROOT)}:{name}": lines
        for path in modules(package)
        for name, lines in function_lengths(path.read_text()).items()
        if lines > LONGEST_FUNCTION
    }
    too_long = {
        name: lines
        for name, lines in long.items()
        if lines > LONG_FUNCTIONS.get(name, 0)
    }
    assert too_long == {}
    known = {name for name in LONG_FUNCTIONS if name.startswith(f"{package}/")}
    assert known <= set(long), "shorter now: take it off the list"


def test_the_control_a_function_of_71_lines_is_long() -> None:
    lines = ["    pass"] * LONGEST_FUNCTION
    source = "\n".join(["class C:", " def f(self):", *lines])
    assert function_lengths(source) == {"f": 71}
