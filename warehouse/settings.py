"""Settings: flag > environment > file > default, read in this one place.

Owns every setting's name, default and meaning. The file is ``scrobble.toml`` in the
working folder (or the path in ``SCROBBLE_CONFIG``); its keys are the lower-case names.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.sources import PydanticBaseSettingsSource
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from warehouse.errors import SettingsError
from warehouse.redact import protect

Names = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Everything an operator can set. Field names in capitals are the environment's."""

    model_config = SettingsConfigDict(
        case_sensitive=False,
        extra="ignore",
        validate_default=True,
        # An empty variable is an unset one: the file is asked next.
        env_ignore_empty=True,
    )

    lastfm_api_key: str | None = Field(
        None, description="last.fm API key; without one the local last.fm is used"
    )
    lastfm_shared_secret: str | None = Field(
        None, description="last.fm shared secret, for login and signed calls"
    )
    lastfm_url: str | None = Field(
        None,
        description="root of a server that speaks the API; `{as_of}` in it is"
        " replaced by the day, for servers that can be asked as of a past day",
    )
    lastfm_listeners: Names = Field(
        (), description="last.fm accounts of the panel, separated by commas"
    )
    lastfm_countries: Names = Field(
        (), description="countries (ISO 3166 names) whose charts are fetched"
    )
    lastfm_tags: Names = Field((), description="tags whose charts are fetched")
    lastfm_top_artists: int = Field(
        1000, ge=1, le=100_000, description="depth of the global artist chart"
    )
    lastfm_requests_per_second: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="rate of all workers together (default 4; the local last.fm"
        " is not limited)",
    )
    lastfm_full_walk_days: int = Field(
        0,
        ge=0,
        le=3660,
        description="ask for each whole history again after so many days, which alone"
        " shows renames of old scrobbles; 0: only when their number changed",
    )
    warehouse_url: str | None = Field(
        None, description="postgresql://… for production; empty for DuckDB"
    )
    data_dir: Path = Field(Path("data"), description="landing files, versions, journal")
    backfill_days: int = Field(
        90,
        ge=1,
        le=3660,
        description="days brought in at the first run, where the server has a clock",
    )
    keep_versions: int = Field(
        5, ge=2, le=1000, description="published versions kept for rollback"
    )
    keep_landing_days: int | None = Field(
        None, ge=1, description="loaded landing files older than this are deleted"
    )
    lease_seconds: float = Field(
        60.0, ge=1, le=3600, description="a silent run loses the lock after this"
    )
    threads: int = Field(2, ge=1, le=64, description="models dbt builds at once")

    @field_validator(
        "lastfm_listeners", "lastfm_countries", "lastfm_tags", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list | tuple):
            names = (str(name).strip() for name in value)
            return tuple(dict.fromkeys(name for name in names if name))
        return value

    @field_validator(
        "lastfm_api_key",
        "lastfm_shared_secret",
        "lastfm_url",
        "lastfm_requests_per_second",
        "warehouse_url",
        "keep_landing_days",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("warehouse_url")
    @classmethod
    def _psycopg2(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return normal_url(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _File(settings_cls)

    @property
    def is_postgres(self) -> bool:
        """Whether the warehouse is PostgreSQL rather than DuckDB files."""
        return self.warehouse_url is not None

    @property
    def parsed_dir(self) -> Path:
        """Where the parsed dbt project is kept between runs."""
        return self.data_dir / "dbt"


class _File(PydanticBaseSettingsSource):
    """The values of the settings file; unknown keys are refused by name."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # pydantic asks for it; __call__ answers for all

    def __call__(self) -> dict[str, Any]:
        path = config_path()
        if not path.exists():
            return {}
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML: {error}") from error
        # Tables are the settings of the packages that plug in; each checks its own.
        values = {k: v for k, v in values.items() if not isinstance(v, dict)}
        unknown = sorted(set(values) - set(Settings.model_fields))
        if unknown:
            known = ", ".join(sorted(Settings.model_fields))
            raise SettingsError(
                f"{path} has the unknown key {unknown[0]!r}; known keys are: {known}"
            )
        return values


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
    # SQLAlchemy 2.1 takes a bare postgresql:// for psycopg 3, used by serve.store only.
    url = url.set(drivername="postgresql+psycopg2")
    return url.render_as_string(hide_password=False)


def config_path() -> Path:
    """The settings file's path, whether or not it exists."""
    return Path(os.environ.get("SCROBBLE_CONFIG", "scrobble.toml"))


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read all settings; `flags` are the command line's, `None` values left out.

    Raises:
        SettingsError: naming the setting and the places it can come from.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise SettingsError(
            f"setting {name}: {first['msg']}. It is read from --{_flag(name)},"
            f" the environment ({name.upper()}) or {config_path()} (as {name})"
        ) from None
    protect(settings.lastfm_api_key, settings.lastfm_shared_secret)
    return settings


def missing(name: str, why: str) -> SettingsError:
    """The error for a setting that must be there, naming all its places."""
    return SettingsError(
        f"{why}: set {name.upper()} in the environment, pass --{_flag(name)},"
        f" or put {name} into {config_path()}"
    )


def _flag(name: str) -> str:
    return name.replace("_", "-")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command one option for each setting (all default to unset)."""
    for name, field in reversed(Settings.model_fields.items()):
        command = click.option(
            f"--{_flag(name)}", name, default=None, help=field.description
        )(command)
    return command


def take_settings(options: dict[str, Any]) -> Settings:
    """Take the settings' options out of a command's keyword arguments."""
    flags = {name: options.pop(name) for name in Settings.model_fields}
    return load_settings(flags)
