"""The errors a run can end with, each with the exit code an operator sees.

Owns the mapping from cause to exit code. Must not hold behaviour.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """A cause that ends a command; the message names the thing and the way out."""

    exit_code = 1


class SettingsError(WarehouseError):
    """A setting is missing or has a value that cannot be."""

    exit_code = 2


class FetchFailed(WarehouseError):
    """The day's answers could not be fetched completely enough."""

    exit_code = 3


class NotKnown(FetchFailed):
    """Nothing of the name that was asked for is known there."""


class LoadFailed(WarehouseError):
    """Landing files could not be loaded into schema raw."""

    exit_code = 4


class BuildFailed(WarehouseError):
    """A dbt model or test failed, was skipped or is missing."""

    exit_code = 5


class GateRefused(WarehouseError):
    """A gate keeps the last version published."""

    exit_code = 6


class PublishFailed(WarehouseError):
    """The candidate could not be published; the last version stays."""

    exit_code = 7


class SettleFailed(WarehouseError):
    """The exchange could not settle the day; the market stays closed."""

    exit_code = 8


class Damaged(WarehouseError):
    """A file of the warehouse's own cannot be read (65, EX_DATAERR)."""

    exit_code = 65


class ImportRefused(WarehouseError):
    """A file that somebody imports is none that can be read (65, EX_DATAERR)."""

    exit_code = 65


class DatabaseLost(WarehouseError):
    """The database cannot be reached, or went away (69, EX_UNAVAILABLE)."""

    exit_code = 69


class NotWritable(WarehouseError):
    """A file or folder that has to be written cannot be (73, EX_CANTCREAT)."""

    exit_code = 73


class DiskFull(WarehouseError):
    """There is no room for the next step; nothing was lost."""

    exit_code = 74


class Busy(WarehouseError):
    """Another run holds the lock (exit code 75, EX_TEMPFAIL)."""

    exit_code = 75


class LeaseLost(WarehouseError):
    """This run lost its lease: another run has taken over, this one must stop."""

    exit_code = 76
