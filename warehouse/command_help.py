"""The help of our commands: a command's own options first, then the settings.

Owns how a setting reads in ``--help``. Must not read any setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

_Records = list[tuple[str, str]]


class SettingOption(click.Option):
    """An option that stands for a setting; `heading` is its section in the help.

    `details` tell its variable, unit and default.
    """

    def __init__(
        self, declarations: Sequence[str], *, heading: str, details: str, **more: Any
    ):
        super().__init__(declarations, **more)
        self.heading = heading
        self.details = details

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0], f"{record[1]}  [{self.details}]")


def _write_options(
    command: click.Command, context: click.Context, formatter: click.HelpFormatter
) -> None:
    own: _Records = []
    settings: dict[str, _Records] = {}
    for option in command.get_params(context):
        if not isinstance(option, click.Option):
            continue  # the usage line shows arguments
        if record := option.get_help_record(context):
            heading = getattr(option, "heading", None)
            (settings.setdefault(heading, []) if heading else own).append(record)
    for heading, records in ({"Options": own} | settings).items():
        with formatter.section(heading):
            formatter.write_dl(records)


class Command(click.Command):
    """A command whose settings have sections of their own in its help."""

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        _write_options(self, ctx, formatter)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)
