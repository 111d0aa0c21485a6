"""Settings: flag > environment > file > default, read in this one place.

Owns the mechanism for all groups of settings and the fields of the group ``warehouse``.
A package adds a group as a :class:`SettingsGroup` under the entry point group
``scrobble.settings``. The file is ``scrobble.toml`` in the working folder (or the path
in ``SCROBBLE_CONFIG``). Names that are misspelt are refused, in the file and in the
environment. docs/settings.md lists every setting.
"""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import click
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from warehouse.command_help import SettingOption
from warehouse.errors import SettingsError
from warehouse.plugins import Hook
from warehouse.redact import protect

#: Variables that are no settings; docs/settings.md says what each is for.
OTHER_VARIABLES = frozenset(
    {
        "PORT",
        "SCROBBLE_ADMIN_URL",
        "SCROBBLE_CONFIG",
        "SCROBBLE_TOKEN",
        # Read by dbt in profiles.yml and macros; a run sets them for its dbt.
        "SCROBBLE_AS_OF_DATE",
        "SCROBBLE_BUILT_THROUGH",
        "SCROBBLE_DUCKDB_PATH",
        "SCROBBLE_FENCE",
        "SCROBBLE_MARTS_SCHEMA",
        "SCROBBLE_PG_APPLICATION",
        "SCROBBLE_PG_DATABASE",
        "SCROBBLE_PG_HOST",
        "SCROBBLE_PG_PASSWORD",
        "SCROBBLE_PG_PORT",
        "SCROBBLE_PG_USER",
        "SCROBBLE_TARGET",
        "SCROBBLE_THREADS",
        "SCROBBLE_VERSION",
        # Read by the tests.
        "SCROBBLE_CHAOS",
        "SCROBBLE_SEED",
    }
)
_OUR_PREFIXES = ("LASTFM_", "LISTENBRAINZ_", "WAREHOUSE_", "SCROBBLE_")
# What Kubernetes and Docker set for a service that has one of our prefixes as its name.
_SERVICE_LINK = re.compile(
    r"[A-Z0-9]+_(SERVICE_(HOST|PORT)|PORT|NAME|ENV|(\w+_)?\d+_(TCP|UDP))(_\w+)?"
)
# A shorter name without a prefix resembles too many variables of other programs.
_SHORTEST_RESEMBLED = 8
_RESEMBLANCE = 0.87


@dataclass(frozen=True)
class Unit:
    """The unit of a setting, for the table of settings: ``Annotated[int, Unit("s")]``.

    `is_secret` hides the value in logs and messages.
    """

    name: str
    is_secret: bool = False


def _names(value: object) -> object:
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list | tuple):
        names = (str(name).strip() for name in value)
        return tuple(dict.fromkeys(name for name in names if name))
    return value


Names = Annotated[
    tuple[str, ...], BeforeValidator(_names), Unit("names separated by commas")
]
SECRET = Unit("", is_secret=True)


class SettingsGroup(BaseModel):
    """The settings of one package: every field that has a default is a setting.

    Making an object reads neither environment nor file; :func:`load_group` does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    #: Table of the settings file, and prefix of the variables (in capitals) and flags.
    #: The warehouse's own settings have neither.
    table: ClassVar[str | None] = None

    @classmethod
    def setting_names(cls) -> tuple[str, ...]:
        """The names of the settings, in the order of the class."""
        fields = cls.model_fields
        return tuple(name for name in fields if not fields[name].is_required())

    @classmethod
    def prefixed(cls, name: str) -> str:
        """The setting's name beside those of all groups: ``serve_rate_limit``."""
        return f"{cls.table}_{name}" if cls.table else name

    @classmethod
    def variable(cls, name: str) -> str:
        """The setting's environment variable."""
        return cls.prefixed(name).upper()

    @classmethod
    def flag(cls, name: str) -> str:
        """The setting's flag on the command line."""
        return f"--{cls.prefixed(name).replace('_', '-')}"

    @classmethod
    def places(cls, name: str) -> str:
        """Where the setting can be set, for messages."""
        file = f"table [{cls.table}] of {config_path()}" if cls.table else config_path()
        return f"{cls.flag(name)}, the environment ({cls.variable(name)}) or {file}"


Group = TypeVar("Group", bound=SettingsGroup)


def _is_group(item: object) -> bool:
    return inspect.isclass(item) and issubclass(item, SettingsGroup)


#: The groups that packages plug in, the warehouse's own among them.
GROUPS: Hook[type[SettingsGroup]] = Hook("scrobble.settings", _is_group)


class Settings(SettingsGroup):
    """The group `warehouse`: everything a run, its steps and all commands share."""

    lastfm_api_key: Annotated[str | None, SECRET] = Field(
        None, description="last.fm API key; without one the local last.fm is used"
    )
    lastfm_shared_secret: Annotated[str | None, SECRET] = Field(
        None, description="last.fm shared secret, for login and signed calls"
    )
    lastfm_url: Annotated[str | None, Unit("URL")] = Field(
        None,
        description="root of a server that speaks the API; `{as_of}` in it is"
        " replaced by the day, for servers that can be asked as of a past day",
    )
    lastfm_listeners: Names = Field((), description="last.fm accounts of the panel")
    lastfm_countries: Names = Field(
        (), description="countries (ISO 3166 names) whose charts are fetched"
    )
    lastfm_tags: Names = Field((), description="tags whose charts are fetched")
    lastfm_top_artists: Annotated[int, Unit("artists")] = Field(
        1000, ge=1, le=100_000, description="depth of the global artist chart"
    )
    lastfm_requests_per_second: Annotated[float | None, Unit("requests/s")] = Field(
        None,
        gt=0,
        le=100_000,
        description="rate of all workers together (unset: 4; a server on this machine"
        " is not limited)",
    )
    lastfm_retries: Annotated[int, Unit("requests")] = Field(
        100,
        ge=1,
        description="a fetch ends with code 3 when it has repeated more requests than"
        " this and one in four of all",
    )
    lastfm_wait_seconds: Annotated[float, Unit("s")] = Field(
        300.0,
        gt=0,
        description="a fetch ends with code 3 when it has waited this long for a server"
        " that refuses or is down, and two seconds more for each call answered",
    )
    lastfm_full_walk_days: Annotated[int, Unit("days")] = Field(
        0,
        ge=0,
        le=3660,
        description="ask for each whole history again after so many days, which alone"
        " shows renames of old scrobbles; 0: only when their number changed",
    )
    listenbrainz_accounts: Names = Field(
        (),
        description="`listener=account`: ListenBrainz accounts whose listens are"
        " fetched, and for whom",
    )
    listenbrainz_token: Annotated[str | None, SECRET] = Field(
        None, description="user token of ListenBrainz; listens are given without too"
    )
    listenbrainz_url: Annotated[str | None, Unit("URL")] = Field(
        None, description="root of another server that speaks its API"
    )
    warehouse_url: Annotated[str | None, Unit("URL")] = Field(
        None, description="`postgresql://…` for production; unset: DuckDB files"
    )
    data_dir: Annotated[Path, Unit("folder")] = Field(
        Path("data"), description="landing files, versions, journal"
    )
    backfill_days: Annotated[int, Unit("days")] = Field(
        90,
        ge=1,
        le=3660,
        description="days brought in at the first run, where the server has a clock",
    )
    keep_versions: Annotated[int, Unit("versions")] = Field(
        5, ge=2, le=1000, description="published versions kept for rollback"
    )
    marts_file: Annotated[bool, Unit("true/false")] = Field(
        True,
        description="write the published marts into `warehouse.duckdb` in the data"
        " folder, a path that stays, for tools that open a file (DuckDB only)",
    )
    keep_landing_days: Annotated[int, Unit("days")] = Field(
        30,
        ge=0,
        description="landing files older than this are deleted once the newest versions"
        " hold their rows (0: none)",
    )
    keep_weekly_versions: Annotated[int, Unit("versions")] = Field(
        4, ge=0, le=520, description="older versions kept, the last of each week"
    )
    keep_monthly_versions: Annotated[int, Unit("versions")] = Field(
        3, ge=0, le=120, description="older versions kept, the last of each month"
    )
    keep_journal_days: Annotated[int, Unit("days")] = Field(
        365, ge=60, description="what runs did is forgotten after so many days"
    )
    storage_budget_mb: Annotated[int, Unit("MB")] = Field(
        20_000,
        ge=1,
        description="`daily` and `status` warn when 80 % of this is used; before that,"
        " weekly and monthly versions go early",
    )
    lease_seconds: Annotated[float, Unit("s")] = Field(
        60.0, ge=1, le=3600, description="a run silent for this long loses the lock"
    )
    threads: Annotated[int, Unit("models")] = Field(
        2, ge=1, le=64, description="models dbt builds at once"
    )

    @field_validator("warehouse_url")
    @classmethod
    def _psycopg2(cls, value: str | None) -> str | None:
        return normal_url(value) if value else None

    @property
    def is_postgres(self) -> bool:
        """Whether the warehouse is PostgreSQL rather than DuckDB files."""
        return self.warehouse_url is not None

    @property
    def parsed_dir(self) -> Path:
        """Where the parsed dbt project is kept between runs."""
        return self.data_dir / "dbt"


def normal_url(value: str) -> str:
    """A PostgreSQL URL with the driver that is installed.

    Raises:
        ValueError: it is none.
    """
    try:
        url = make_url(value)
    except ArgumentError as error:
        raise ValueError("is not a database URL") from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError("must start with postgresql:// (leave it empty for DuckDB)")
    if "service" in url.query:
        raise ValueError("cannot name a service: write its host, login and database")
    if not url.database:
        raise ValueError("names no database: postgresql://login@host/DATABASE")
    # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3, used by serve.store only.
    url = url.set(drivername="postgresql+psycopg2")
    return url.render_as_string(hide_password=False)


def config_path() -> Path:
    """The settings file's path, whether or not it exists."""
    return Path(os.environ.get("SCROBBLE_CONFIG") or "scrobble.toml")


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read the warehouse's settings; as :func:`load_group`."""
    return load_group(Settings, flags)


def load_group(
    group: type[Group],
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    **required: Any,
) -> Group:
    """Read the settings of one group: flag > environment > file > default.

    Args:
        group: the class of the settings.
        flags: the command line's values by setting name; None means not given, ""
            resets the setting to its default.
        environment: the variables; this process's own where None. An empty variable
            counts as unset.
        required: values of the fields that are no settings.

    Raises:
        SettingsError: a value is wrong, naming the setting and the places it can come
            from; or a name in the file or the environment is misspelt.
    """
    variables = os.environ if environment is None else environment
    groups: dict[str, type[SettingsGroup]] = GROUPS.all()
    groups[group.table or "warehouse"] = group
    tables = _read_file(groups)
    _check_variables(variables, groups)
    values = dict(tables.get(group.table, {}))
    for name in group.setting_names():
        if value := variables.get(group.variable(name)):
            values[name] = value
        if (flag := (flags or {}).get(name)) is not None:
            values[name] = flag
    values = {name: value for name, value in values.items() if value != ""}
    try:
        settings = group(**values, **required)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SettingsError(
            f"setting {group.prefixed(name)}: {first['msg']}. It is read from"
            f" {group.places(name)} (as {name})"
        ) from None
    for name, field in group.model_fields.items():
        if any(isinstance(data, Unit) and data.is_secret for data in field.metadata):
            protect(getattr(settings, name))
    return settings


def _read_file(
    groups: Mapping[str, type[SettingsGroup]],
) -> dict[str | None, dict[str, Any]]:
    """The values of the settings file by table, None for those outside a table.

    Raises:
        SettingsError: it is not TOML, or it has a key or table nobody knows.
    """
    path = config_path()
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    known = {group.table: group.setting_names() for group in groups.values()}
    names = [*known.get(None, ()), *filter(None, known)]
    tables: dict[str | None, dict[str, Any]] = {None: {}}
    for key, value in content.items():
        if key in known and isinstance(value, dict):
            tables[key] = value
        elif key in known.get(None, ()):
            tables[None][key] = value
        else:
            raise SettingsError(
                f"{path} has the unknown key {key!r}; {_meant(key, names)}"
            )
    for table in filter(None, tables):
        for key in tables[table]:
            if key not in known[table]:
                raise SettingsError(
                    f"table [{table}] of {path} has the unknown key {key!r};"
                    f" {_meant(key, known[table])}"
                )
    return tables


def _check_variables(
    variables: Mapping[str, str], groups: Mapping[str, type[SettingsGroup]]
) -> None:
    """Refuse a variable that can only be a misspelt setting.

    That is: an unknown one that starts with ``LASTFM_``, ``WAREHOUSE_``, ``SCROBBLE_``
    or the prefix of a plugged group, or that is nearly the name of a setting without a
    prefix (``DATADIR``). What Kubernetes and Docker set for a service that happens to
    be called ``serve`` or ``warehouse`` passes.

    Raises:
        SettingsError: naming the variable and what was probably meant.
    """
    settings = {
        group.variable(name)
        for group in groups.values()
        for name in group.setting_names()
    }
    known = settings | OTHER_VARIABLES
    prefixes = (
        *_OUR_PREFIXES,
        *(f"{group.table.upper()}_" for group in groups.values() if group.table),
    )
    resembled = [name for name in settings if len(name) >= _SHORTEST_RESEMBLED]
    for name in sorted(variables):
        if name in known or _SERVICE_LINK.fullmatch(name):
            continue
        capitals = name.upper()
        if (
            capitals.startswith(prefixes)
            or (capitals != name and capitals in settings)
            or get_close_matches(capitals, resembled, 1, _RESEMBLANCE)
        ):
            raise SettingsError(
                f"the environment has {name}, which is no setting;"
                f" {_meant(capitals, sorted(known))} Unset it, or see docs/settings.md"
            )


def _meant(name: str, known: list[str] | tuple[str, ...]) -> str:
    close = get_close_matches(name, known, 1, 0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"known are: {', '.join(sorted(known))}."


def missing(name: str, why: str) -> SettingsError:
    """The error for a warehouse setting that must be there, naming all its places."""
    return SettingsError(
        f"{why}: set {Settings.variable(name)} in the environment, pass"
        f" {Settings.flag(name)}, or put {name} into {config_path()}"
    )


def group_options(
    group: type[SettingsGroup],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a click command an option, unset by default, for each setting of a group."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for name in reversed(group.setting_names()):
            field = group.model_fields[name]
            command = click.option(
                group.flag(name),
                group.prefixed(name),
                cls=SettingOption,
                heading=f"Settings of {group.table or 'the warehouse'}",
                details=_details(group, name),
                default=None,
                metavar=f"<{_unit(group, name).partition(' ')[0] or 'text'}>",
                help=field.description,
            )(command)
        return command

    return add


def _unit(group: type[SettingsGroup], name: str) -> str:
    metadata = group.model_fields[name].metadata
    return next(data.name for data in metadata if isinstance(data, Unit))


def _details(group: type[SettingsGroup], name: str) -> str:
    """A setting's variable and default, as its help tells them."""
    default = group.model_fields[name].default
    variable = group.variable(name)
    return variable if default in (None, ()) else f"{variable}={shown(default)}"


def shown(default: object) -> str:
    """A default as one writes it in the settings file."""
    return str(default).lower() if isinstance(default, bool) else f"{default}"


settings_options = group_options(Settings)
admin_option = click.option(
    "--admin-url",
    envvar="SCROBBLE_ADMIN_URL",
    metavar="URL",
    help="login that owns all schemas, or may create them and roles (default:"
    " WAREHOUSE_URL)",
)


def admin_url_of(settings: Settings, admin_url: str | None) -> str:
    """The PostgreSQL that an administrator's command works on, as that login.

    Raises:
        SettingsError: it is none that we can use, or none is given.
    """
    try:
        url = normal_url(admin_url) if admin_url else settings.warehouse_url
    except ValueError as error:
        raise SettingsError(f"--admin-url {error}") from None
    if url is None:
        raise missing("warehouse_url", "which database")
    return url


def take_flags(
    options: dict[str, Any], group: type[SettingsGroup] = Settings
) -> dict[str, Any]:
    """Take a group's options that were given out of a command's keyword arguments."""
    taken = {name: options.pop(group.prefixed(name)) for name in group.setting_names()}
    return {name: value for name, value in taken.items() if value is not None}


def take_settings(options: dict[str, Any]) -> Settings:
    """Take the warehouse's options out of a command's keyword arguments, and load."""
    return load_settings(take_flags(options))
