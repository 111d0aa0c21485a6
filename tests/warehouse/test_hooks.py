"""Every entry point loads and is what its hook in `warehouse.hooks` says."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from warehouse import hooks, plugins
from warehouse.errors import SettingsError
from warehouse.hooks import (
    FindingsHook,
    Job,
    JobHook,
    LandingHook,
    LoginHook,
    LookHook,
    RecoveryHook,
    StepHook,
    TablesHook,
)
from warehouse.plugins import Hook

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS: dict[str, Hook[Any]] = {
    hook.group: hook for hook in vars(hooks).values() if isinstance(hook, Hook)
}
PROTOCOLS: dict[str, type] = {
    hooks.STEPS.group: StepHook,
    hooks.LANDINGS.group: LandingHook,
    hooks.RECOVERIES.group: RecoveryHook,
    hooks.FINDINGS.group: FindingsHook,
    hooks.TABLES.group: TablesHook,
    hooks.LOGINS.group: LoginHook,
    hooks.LOOKS.group: LookHook,
    hooks.JOBS.group: JobHook,
}
CALLED = [
    (group, name) for group in PROTOCOLS for name in PROJECT["entry-points"][group]
]


def misfit(function: Callable[..., Any], protocol: type) -> str | None:
    """How the function differs from the protocol's call; None where it fits."""
    wanted = inspect.signature(protocol.__call__)
    wanted_types = list(get_type_hints(protocol.__call__).items())
    given = inspect.signature(function)
    types = get_type_hints(inspect.unwrap(function))
    positional = len(wanted.parameters) - 1  # without self
    try:
        given.bind(*range(positional))
    except TypeError as error:
        return str(error)
    for (name, wanted_type), own in zip(wanted_types, given.parameters, strict=False):
        if name != "return" and types.get(own) != wanted_type:
            return f"{own} is {types.get(own)}, not {wanted_type}"
    return None


def test_every_group_of_the_project_has_a_hook_and_every_hook_is_used() -> None:
    assert set(PROJECT["entry-points"]) == set(GROUPS)


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_entry_of_the_project_is_installed_and_loads(group: str) -> None:
    found = GROUPS[group].all()
    assert set(found) >= set(PROJECT["entry-points"][group])


@pytest.mark.parametrize(("group", "name"), CALLED)
def test_an_entry_can_be_called_as_its_protocol_says(group: str, name: str) -> None:
    function = GROUPS[group].find(name)
    assert function is not None
    assert misfit(function, PROTOCOLS[group]) is None


def test_the_control_a_function_of_another_shape_is_noticed() -> None:
    def too_many(run: Any, more: int) -> None: ...

    def of_another_type(run: int) -> None: ...

    def right(job: Job) -> None: ...

    assert misfit(too_many, StepHook)
    assert misfit(of_another_type, StepHook)
    assert misfit(right, JobHook) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("warehouse.nowhere:step", "cannot be loaded"),
        ("warehouse.run:nothing", "cannot be loaded"),
        ("warehouse.daily:STEPS", "does not fit"),
    ],
)
def test_an_entry_that_does_not_load_or_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    entry = EntryPoint("fetch", value, "scrobble.steps")
    monkeypatch.setattr(plugins, "_installed", lambda _group: EntryPoints([entry]))
    with pytest.raises(SettingsError, match=f"fetch of scrobble.steps .*{reason}"):
        hooks.STEPS.find("fetch")


def test_the_table_of_hooks_names_every_group() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for group in GROUPS:
        assert f"| `{group}` |" in document, group
