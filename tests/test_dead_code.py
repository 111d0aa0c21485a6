"""Nothing in the project is written and never read."""

from __future__ import annotations

import tomllib
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[1]
PACKAGES = ("warehouse", "ingest", "local_lastfm", "exchange", "serve", "bench")

#: What registers a function with something that calls it.
REGISTERING = [
    "@*.command",
    "@*.group",
    "@*.listens_for",
    "@*.after_request",
    "@*.before_request",
    "@*.errorhandler",
    "@*.app_errorhandler",
    "@api.*",
    "@method",
    "@*validator",
    "@pytest.fixture",
]

#: Names that only a library reads, by the library.
READ_BY_LIBRARIES = {
    "alembic": ("down_revision", "branch_labels", "depends_on"),
    "click": ("list_commands", "get_command", "obj", "format_options", "command_class"),
    "dlt": ("open_connection", "client_class"),
    "expat": (
        "buffer_text",
        "StartElementHandler",
        "EndElementHandler",
        "CharacterDataHandler",
        "StartDoctypeDeclHandler",
    ),
    "flask": (
        "strict_slashes",
        "session_interface",
        "openapi_version",
        "max_content_length",
    ),
    "Jinja": (
        "numeric",
        "embed",
        "legend",
        "has_open_table",
        "is_docs_site",
        "can_be_opened",
        "shared_artists",
    ),
    "limits": ("STORAGE_SCHEME", "base_exceptions", "get_expiry"),
    "pydantic": ("model_config",),
    # The third argument of __exit__; what a raw stream has to answer.
    "Python": ("trace", "readable", "readinto"),
    "SQLAlchemy": ("isolation_level", "serve_state"),
}

#: Where classes are answers: all their fields are printed, whoever asks for them.
ANSWERS = ("serve/api", "exchange/views")


def entry_points() -> set[str]:
    """The functions that pyproject.toml names."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        value.split(":")[1]
        for group in groups["entry-points"].values()
        for value in group.values()
    }


def unused(*paths: Path) -> set[str]:
    """Names that the sources below these paths define and never use, with place."""
    ignored = {name for names in READ_BY_LIBRARIES.values() for name in names}
    vulture = Vulture(
        ignore_names=[*ignored, *entry_points()], ignore_decorators=REGISTERING
    )
    vulture.scavenge([str(path) for path in paths])
    return {
        f"{item.filename}: {item.typ} {item.name}".removeprefix(f"{ROOT}/")
        for item in vulture.get_unused_code(min_confidence=60)
        # The fields of answers are read by pydantic, those of views by asdict().
        if not (
            item.typ == "variable"
            and any(place in str(item.filename) for place in ANSWERS)
        )
    }


def test_nothing_is_written_that_nobody_reads() -> None:
    # The tests are read too: what only a test uses is used.
    found = unused(*(ROOT / name for name in (*PACKAGES, "tests")))
    assert {name for name in found if not name.startswith("tests/")} == set()


def test_the_control_a_function_nobody_calls_is_seen(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def nobody_calls_me() -> None: ...\n")
    assert any("nobody_calls_me" in name for name in unused(tmp_path))
