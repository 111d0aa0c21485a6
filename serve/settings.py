"""The settings group of the service, beside the warehouse's own.

Owns the names and defaults of what only the service needs; the mechanism is
:mod:`warehouse.settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, IPvAnyAddress, field_validator

from warehouse.names import name_key
from warehouse.redact import protect
from warehouse.secret_file import made_once
from warehouse.settings import (
    SECRET,
    Names,
    Settings,
    SettingsGroup,
    Unit,
    load_group,
    load_settings,
)

#: The folder in `run_dir` where the workers keep what monitoring counts.
METRICS = "metrics"
_OWN_COVERS_MB = 200


class ServeSettings(SettingsGroup):
    """The group `serve`, and the warehouse's settings with it."""

    table: ClassVar[str | None] = "serve"

    warehouse: Settings
    host: Annotated[IPvAnyAddress, Unit("address")] = Field(
        IPv4Address("127.0.0.1"),
        description="address to listen on; another than loopback has to be protected",
    )
    public_url: Annotated[str | None, Unit("URL")] = Field(
        None,
        description="address people see, e.g. `https://example.org`; a login returns"
        " there, and cookies are marked secure for https",
    )
    secret_key: Annotated[str | None, SECRET] = Field(
        None,
        min_length=32,
        description="signs cookies; unset: a file in `DATA_DIR` made once",
    )
    login_url: Annotated[str, Unit("URL")] = Field(
        "https://www.last.fm/api/auth/", description="where people allow the login"
    )
    login_api_url: Annotated[str | None, Unit("URL")] = Field(
        None, description="root of the API for `auth.getSession`; unset: last.fm's"
    )
    covers_url: Annotated[str, Unit("URL")] = Field(
        "https://lastfm.freetls.fastly.net/i/u/174s/{id}.jpg",
        pattern=r"^https?://[^/]+/.*\{id\}",
        description="where the service fetches covers of albums, `{id}` for the"
        " picture's id; browsers ask the service alone",
    )
    covers_mb: Annotated[int | None, Unit("MB")] = Field(
        None,
        ge=0,
        le=100_000,
        description="most that covers take in `DATA_DIR`; 0: no covers are shown and"
        " none fetched; unset: 200 where `/sql` is offered by default, else 0",
    )
    admins: Names = Field((), description="listeners who may hold the scope `admin`")
    imprint: Annotated[str | None, Unit("text")] = Field(
        None,
        max_length=1000,
        description="who runs this and how to reach them, for `/privacy`",
    )
    trusted_proxies: Names = Field(
        (),
        description="addresses or networks of the proxies in front, e.g. `127.0.0.1`:"
        " whom they name in `X-Forwarded-For` is the caller",
    )
    public_panel: Annotated[bool, Unit("true/false")] = Field(
        False, description="lists of panel listeners without an account are public"
    )
    cache_bytes: Annotated[int, Unit("bytes")] = Field(
        64 * 2**20, ge=0, le=2**34, description="cache of answers of each worker"
    )
    rate_limit: Annotated[str, Unit("rate")] = Field(
        "1200 per minute", description="computed answers for each caller and worker"
    )
    login_rate_limit: Annotated[str, Unit("rate")] = Field(
        "30 per minute", description="logins for each caller"
    )
    artist_requests: Annotated[int, Unit("artists")] = Field(
        5,
        ge=0,
        le=1000,
        description="artists that nobody has listed an account may ask for in 24 hours",
    )
    pointer_seconds: Annotated[float, Unit("s")] = Field(
        1.0,
        ge=0,
        le=60,
        description="how often the pointer is read; of a file 0.01 at most",
    )
    statement_seconds: Annotated[float, Unit("s")] = Field(
        10.0, gt=0, le=600, description="longest query"
    )
    duckdb_memory: Annotated[str, Unit("MB or GB")] = Field(
        "1GB", pattern=r"^\d+(MB|GB)$", description="memory of DuckDB in each worker"
    )
    session_days: Annotated[int, Unit("days")] = Field(
        30, ge=1, le=365, description="a login lasts this long"
    )
    session_idle_days: Annotated[int, Unit("days")] = Field(
        7, ge=1, le=365, description="a login that is not used ends after so long"
    )
    metrics_token: Annotated[str | None, SECRET] = Field(
        None,
        min_length=16,
        description="bearer token of `/metrics`; unset: there is no such page",
    )
    log_format: Annotated[Literal["text", "json"], Unit("text/json")] = Field(
        "text", description="what the service logs: lines for people, or JSON"
    )
    sentry_dsn: Annotated[str | None, SECRET] = Field(
        None, description="where failures are reported; needs the extra `sentry`"
    )
    run_dir: Annotated[Path | None, Unit("folder")] = Field(
        None,
        description="where the workers of one service keep shared counts; unset: a"
        " temporary one of `scrobble serve`",
    )
    cache_url: Annotated[str | None, SECRET] = Field(
        None,
        pattern=r"^(rediss?|unix)://",
        description="Redis that several machines share answers and rate limits in",
    )
    read_url: Annotated[str | None, SECRET] = Field(
        None,
        description="PostgreSQL: a hot standby to read from; unset: `WAREHOUSE_URL`",
    )
    sql: Annotated[bool | None, Unit("true/false")] = Field(
        None,
        description="SQL on the public marts at `/sql`; unset: where the service"
        " listens on loopback, without `SERVE_TRUSTED_PROXIES` and `SERVE_PUBLIC_URL`",
    )
    docs_site: Annotated[Path, Unit("folder")] = Field(
        Path("site"), description="where `make docs` writes its page"
    )

    @property
    def is_for_oneself(self) -> bool:
        """Whether nobody but people on this machine can reach the service."""
        is_behind = bool(self.trusted_proxies) or self.public_url is not None
        return self.host.is_loopback and not is_behind

    @property
    def room_for_covers_mb(self) -> int:
        """The setting, or what is meant where it is unset."""
        if self.covers_mb is not None:
            return self.covers_mb
        return _OWN_COVERS_MB if self.is_for_oneself else 0

    @field_validator("admins")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name_key(name) for name in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            try:
                ip_network(name)
            except ValueError as error:
                raise ValueError(
                    f"{name!r} is no address or network: {error}"
                ) from None
        return value

    @property
    def data_dir(self) -> Path:
        """The folder that holds the published versions and the embedded databases."""
        return self.warehouse.data_dir

    @property
    def database_url(self) -> str | None:
        """The PostgreSQL of the warehouse, or None when embedded."""
        return self.warehouse.warehouse_url


def load_serve_settings(
    warehouse: Settings | None = None, flags: Mapping[str, Any] | None = None
) -> ServeSettings:
    """Read the service's settings, and the warehouse's unless they are given.

    Raises:
        SettingsError: naming the setting and the places it can come from.
    """
    return load_group(ServeSettings, flags, warehouse=warehouse or load_settings())


def signing_key(settings: ServeSettings) -> str:
    """The key that signs cookies; made once in DATA_DIR where none is set."""
    if settings.secret_key is not None:
        return settings.secret_key
    key = made_once(settings.data_dir / "serve.secret")
    protect(key)
    return key
