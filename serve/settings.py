"""Settings of the service, beside the warehouse's own.

Owns the names and defaults of what only the service needs. They come from the same
places: flag, environment (``SERVE_…`` in capitals), table ``[serve]`` of
``scrobble.toml``, default.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from warehouse.errors import SettingsError
from warehouse.redact import protect
from warehouse.settings import Settings, config_path, load_settings

Names = Annotated[tuple[str, ...], NoDecode]


class ServeSettings(BaseSettings):
    """What the service itself can be told; `warehouse` holds everybody's settings."""

    model_config = SettingsConfigDict(
        env_prefix="SERVE_", case_sensitive=False, extra="forbid", frozen=True
    )

    warehouse: Settings
    public_url: str | None = Field(
        None, description="address people see, e.g. https://example.org; for login"
    )
    secret_key: str | None = Field(
        None, min_length=32, description="signs cookies; default: a file in DATA_DIR"
    )
    login_url: str = Field(
        "https://www.last.fm/api/auth/", description="where people allow the login"
    )
    login_api_url: str | None = Field(
        None, description="root of the API for auth.getSession; default last.fm's"
    )
    admins: Names = Field((), description="listeners who may hold the scope admin")
    public_panel: bool = Field(
        False, description="lists of panel listeners without an account are public"
    )
    cache_bytes: int = Field(64 * 2**20, ge=0, le=2**34, description="of each worker")
    rate_limit: str = Field(
        "1200 per minute", description="computed answers for each caller and worker"
    )
    login_rate_limit: str = Field("30 per minute", description="logins for each caller")
    pointer_seconds: float = Field(
        1.0, ge=0, le=60, description="PostgreSQL: how often the pointer is read"
    )
    statement_seconds: float = Field(10.0, gt=0, le=600, description="longest query")
    duckdb_memory: str = Field("1GB", pattern=r"^\d+(MB|GB)$")
    session_days: int = Field(30, ge=1, le=365)
    docs_site: Path = Field(Path("site"), description="where `make docs` writes")

    @field_validator("admins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list | tuple):
            return tuple(
                str(name).strip().lower() for name in value if str(name).strip()
            )
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _Table(settings_cls)

    @property
    def data_dir(self) -> Path:
        """The folder that holds the published versions and the embedded databases."""
        return self.warehouse.data_dir

    @property
    def database_url(self) -> str | None:
        """The PostgreSQL of the warehouse, or None when embedded."""
        return self.warehouse.warehouse_url


class _Table(PydanticBaseSettingsSource):
    """The values of table ``[serve]`` of the settings file."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # pydantic asks for it; __call__ answers for all

    def __call__(self) -> dict[str, Any]:
        path = config_path()
        if not path.exists():
            return {}
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("serve", {})
        return dict(table) if isinstance(table, dict) else {}


def load_serve_settings(
    warehouse: Settings | None = None, flags: Mapping[str, Any] | None = None
) -> ServeSettings:
    """Read the service's settings, and the warehouse's unless they are given.

    Raises:
        SettingsError: naming the setting and the places it can come from.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        settings = ServeSettings(warehouse=warehouse or load_settings(), **given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting {name} of the service: {first['msg']}. It is read from the"
            f" environment (SERVE_{name.upper()}) or table [serve] of {config_path()}"
        ) from None
    protect(settings.secret_key)
    return settings


def signing_key(settings: ServeSettings) -> str:
    """The key that signs cookies; made once in DATA_DIR where none is set."""
    if settings.secret_key is not None:
        return settings.secret_key
    path = settings.data_dir / "serve.secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(fresh, path)  # fails where another process was first: its key counts
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    key = path.read_text(encoding="utf-8").strip()
    protect(key)
    return key
