"""What `--help` says: a command's own options, then settings, gates and exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from warehouse import errors, gates
from warehouse.cli import cli
from warehouse.command_help import SettingOption
from warehouse.settings import Settings


def walk(command: click.Command, name: str = "scrobble") -> Iterator[click.Command]:
    """The command and all below it."""
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from walk(found, below)


def squeezed(text: str) -> str:
    """The text however its lines are broken."""
    return "".join(text.split())


def settings_come_last(command: click.Command) -> bool:
    """Whether the help has no setting before the last option of the command's own."""
    text = command.get_help(click.Context(command, info_name=command.name))
    own = [
        max(option.opts, key=len)
        for option in command.params
        if isinstance(option, click.Option) and not isinstance(option, SettingOption)
    ]
    _, _, options = text.partition("Options:")
    before, _, settings = options.partition("Settings of")
    return all(flag in before for flag in own) and not any(
        f"[{option.details}]" in before
        or squeezed(f"[{option.details}]") not in squeezed(settings)
        for option in command.params
        if isinstance(option, SettingOption)
    )


def test_the_help_of_every_command_has_its_own_options_before_the_settings() -> None:
    wrong = [command.name for command in walk(cli) if not settings_come_last(command)]
    assert wrong == []


def test_control_a_plain_command_mixes_them() -> None:
    option = SettingOption(["--days"], heading="Settings of x", details="DAYS=3")
    assert not settings_come_last(click.Command("plain", params=[option]))


def test_the_help_of_a_run_lists_settings_gates_and_every_exit_code() -> None:
    said = CliRunner().invoke(cli, ["daily", "--help"]).output
    for name in Settings.setting_names():
        assert Settings.variable(name) in said
    assert "KEEP_VERSIONS=5" in said and "MARTS_FILE=true" in said
    for name in gates.GATES:
        assert name in said
    lines = [line.split() for line in said.splitlines()]
    listed = {int(line[0]) for line in lines if line and line[0].isdigit()}
    assert listed == {0} | {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and error is not errors.WarehouseError
    }


@pytest.mark.parametrize("flag", ["--host", "--serve-host"])
def test_the_service_refuses_an_address_by_either_flag(flag: str) -> None:
    """Both reach the setting, which is checked."""
    done = CliRunner().invoke(cli, ["serve", flag, "no such host", "invalidate"])
    assert done.exit_code != 0
    assert "serve_host" in str(done.exception)
