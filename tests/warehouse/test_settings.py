"""Settings: flag > environment > file > default, and errors that name all places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.settings import ExchangeSettings, load_exchange_settings
from serve.settings import ServeSettings
from warehouse.errors import SettingsError
from warehouse.redact import redact
from warehouse.settings import (
    OTHER_VARIABLES,
    Settings,
    SettingsGroup,
    load_group,
    load_settings,
    missing,
    normal_url,
)


@pytest.fixture(autouse=True)
def empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "SCROBBLE_CONFIG"):
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "default", "spoken", "read"),
    [
        ("lastfm_api_key", None, ("a" * 32, "b" * 32, "c" * 32), str),
        ("lastfm_shared_secret", None, ("d" * 32, "e" * 32, "f" * 32), str),
        ("lastfm_url", None, ("http://a/2.0/", "http://b/2.0/", "http://c/2.0/"), str),
        ("lastfm_listeners", (), ("rj", "ana", "bob"), lambda name: (name,)),
        ("lastfm_countries", (), ("Chile", "Japan", "Spain"), lambda name: (name,)),
        ("lastfm_tags", (), ("jazz", "rock", "folk"), lambda name: (name,)),
        ("lastfm_top_artists", 1000, ("11", "22", "33"), int),
        ("lastfm_requests_per_second", None, ("1.5", "2.5", "3.5"), float),
        ("lastfm_full_walk_days", 0, ("30", "60", "90"), int),
        ("warehouse_url", None, ("postgresql://a/x", "postgres://b/x", ""), normal_url),
        ("data_dir", Path("data"), ("one", "two", "three"), Path),
        ("backfill_days", 90, ("7", "8", "9"), int),
        ("threads", 2, ("3", "4", "5"), int),
    ],
)
def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    empty_place: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    default: object,
    spoken: tuple[str, str, str],
    read: Callable[[str], object],
) -> None:
    in_file, in_environment, on_command_line = spoken

    def found(flag: str | None = None) -> object:
        return getattr(load_settings({name: flag}), name)

    assert found() == default
    (empty_place / "scrobble.toml").write_text(f'{name} = "{in_file}"\n')
    assert found() == read(in_file)
    monkeypatch.setenv(name.upper(), in_environment)
    assert found() == read(in_environment)
    assert found(on_command_line) == (
        read(on_command_line) if on_command_line else None
    )
    monkeypatch.setenv(name.upper(), "")
    assert found() == read(in_file), "an empty variable is an unset one"


def test_names_are_split_at_commas_trimmed_and_kept_once() -> None:
    settings = load_settings({"lastfm_listeners": " rj, ,ana,rj "})
    assert settings.lastfm_listeners == ("rj", "ana")


def test_a_list_in_the_file_is_taken_as_it_is(empty_place: Path) -> None:
    (empty_place / "scrobble.toml").write_text('lastfm_tags = ["drum, bass", "jazz"]\n')
    assert load_settings().lastfm_tags == ("drum, bass", "jazz")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lastfm_top_artists", "0"),
        ("lastfm_top_artists", "many"),
        ("lastfm_requests_per_second", "-1"),
        ("warehouse_url", "mysql://somewhere/x"),
        ("warehouse_url", "not a url"),
        ("keep_versions", "1"),
    ],
)
def test_a_bad_value_names_the_setting_and_every_place_it_can_come_from(
    name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    message = str(caught.value)
    for place in (name, f"--{name.replace('_', '-')}", name.upper(), "scrobble.toml"):
        assert place in message


def test_a_missing_setting_names_every_place_it_can_come_from() -> None:
    message = str(missing("lastfm_api_key", "login needs a key"))
    assert "LASTFM_API_KEY" in message
    assert "--lastfm-api-key" in message
    assert "scrobble.toml" in message


def test_an_unknown_key_in_the_file_is_refused_by_name(empty_place: Path) -> None:
    (empty_place / "scrobble.toml").write_text("lastfm_artists = 3\n")
    with pytest.raises(SettingsError, match="lastfm_artists"):
        load_settings()


def test_a_file_that_is_not_toml_is_named(empty_place: Path) -> None:
    (empty_place / "scrobble.toml").write_text("lastfm_top_artists: 3\n")
    with pytest.raises(SettingsError, match=r"scrobble\.toml is not valid TOML"):
        load_settings()


def test_an_empty_environment_variable_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", "")
    monkeypatch.setenv("LASTFM_API_KEY", "")
    settings = load_settings()
    assert settings.warehouse_url is None
    assert settings.lastfm_api_key is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_every_spelling_of_a_postgres_url_gets_the_driver_that_is_installed(
    scheme: str,
) -> None:
    url = load_settings({"warehouse_url": f"{scheme}://me:pa%40ss@db/x"}).warehouse_url
    assert url == "postgresql+psycopg2://me:pa%40ss@db/x"


GROUP_CASES = [
    (Settings, "keep_versions", ("7", "8", "9"), int),
    (ServeSettings, "session_days", ("7", "8", "9"), int),
    (ServeSettings, "admins", ("Ana", "BOB", "rj"), lambda name: (name.lower(),)),
    (
        ServeSettings,
        "public_panel",
        ("true", "false", "true"),
        lambda word: word == "true",
    ),
    (ExchangeSettings, "quote_seconds", ("7", "8", "9"), int),
    (ExchangeSettings, "listing_floor_plays", ("0", "8", "9"), int),
]


@pytest.mark.parametrize(("group", "name", "spoken", "read"), GROUP_CASES)
def test_all_groups_read_the_same_places_in_the_same_order(
    empty_place: Path,
    group: type[SettingsGroup],
    name: str,
    spoken: tuple[str, str, str],
    read: Callable[[str], object],
) -> None:
    in_file, in_environment, on_command_line = spoken
    required = {"warehouse": Settings()} if group is ServeSettings else {}

    def found(variable: str = "", flag: str | None = None) -> object:
        environment = {group.variable(name): variable}
        return getattr(load_group(group, {name: flag}, environment, **required), name)

    assert found() == group.model_fields[name].default
    table = f"[{group.table}]\n" if group.table else ""
    (empty_place / "scrobble.toml").write_text(f'{table}{name} = "{in_file}"\n')
    assert found() == read(in_file)
    assert found(in_environment) == read(in_environment)
    assert found(in_environment, on_command_line) == read(on_command_line)


@pytest.mark.parametrize(
    ("content", "named", "meant"),
    [
        ("keep_version = 3\n", "keep_version", "keep_versions"),
        ("[sreve]\nadmins = 'ana'\n", "sreve", "serve"),
        ("[serve]\nadmin = 'ana'\n", "admin", "admins"),
        ("[exchange]\nquote_second = 3\n", "quote_second", "quote_seconds"),
    ],
)
def test_a_misspelt_name_in_the_file_is_refused_by_every_group(
    empty_place: Path, content: str, named: str, meant: str
) -> None:
    (empty_place / "scrobble.toml").write_text(content)
    for load in (load_settings, load_exchange_settings):
        with pytest.raises(SettingsError) as caught:
            load()
        assert repr(named) in str(caught.value)
        assert f"did you mean {meant}?" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("DATADIR", "DATA_DIR"),
        ("data_dir", "DATA_DIR"),
        ("KEEP_VERSION", "KEEP_VERSIONS"),
        ("LASTFM_LISTENER", "LASTFM_LISTENERS"),
        ("WAREHOUSE_URI", "WAREHOUSE_URL"),
        ("SERVE_ADMIN", "SERVE_ADMINS"),
        ("EXCHANGE_QUOTE_SECOND", "EXCHANGE_QUOTE_SECONDS"),
        ("SCROBBLE_CONFG", "SCROBBLE_CONFIG"),
    ],
)
def test_a_misspelt_variable_is_refused_by_every_group(
    variable: str, meant: str
) -> None:
    for group in (Settings, ExchangeSettings):
        with pytest.raises(SettingsError) as caught:
            load_group(group, environment={variable: "7"})
        assert f"has {variable}," in str(caught.value)
        assert f"did you mean {meant}?" in str(caught.value)


def test_the_control_variables_of_others_are_none_of_our_business() -> None:
    foreign = """
        PATH HOME LANG PGDATA PGHOST DATABASE_URL XDG_DATA_DIRS OMP_NUM_THREADS
        THREADS_MAX OLD_DATA_DIR PORTS http_proxy port RAY_SERVE_X SERVE_PORT
        SERVE_SERVICE_HOST SERVE_SERVICE_PORT_HTTP WAREHOUSE_PORT_8000_TCP_ADDR
        EXCHANGE_PORT_80_TCP
    """
    environment = dict.fromkeys((*foreign.split(), *OTHER_VARIABLES), "7")
    assert load_group(Settings, environment=environment) == Settings()


def test_making_settings_reads_neither_environment_nor_file(
    empty_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_place / "scrobble.toml").write_text("threads = 9\n")
    monkeypatch.setenv("KEEP_VERSIONS", "9")
    assert (Settings().threads, Settings().keep_versions) == (2, 5)


def test_secrets_are_hidden_from_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.redact._known", set())
    load_group(ServeSettings, {"secret_key": "s" * 32}, {}, warehouse=Settings())
    load_settings({"lastfm_api_key": "a1b2c3d4e5"})
    assert redact(f"{'s' * 32} a1b2c3d4e5 plain") == "*** *** plain"
