"""The dbt project keeps its own rules, read off its manifest and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from warehouse.build import parsed_project
from warehouse.duckdb_store import FILE
from warehouse.project import PROJECT
from warehouse.run import Target

FORBIDDEN = {
    r"\bqualify\b": "PostgreSQL has no qualify",
    r"\bgroup by all\b": "name the columns",
    r"\bexclude\s*\(": "name the columns",
    r"\bignore nulls\b": "missing on PostgreSQL",
    r"extract\(\s*dow\b": "use iso_weekday()",
    r"\bsource\.\*": "name the columns",
    r"[^/\s]\s*//": "use whole_ratio()",
    r"\bnow\(\)|\bcurrent_(date|timestamp)\b": "the day is a variable, not the clock",
}
DIFFERENCES = r"adapter\.dispatch|target\.type|duckdb__|postgres__"


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What dbt says of the project, without a database."""
    folder = tmp_path_factory.mktemp("manifest")
    target = Target(duckdb_path=folder / FILE)
    project = parsed_project(target, folder / "parsed", folder)
    found: dict[str, Any] = project.writable_manifest().to_dict()
    return found


def models(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model":
            yield node


def layer(model: dict[str, Any]) -> str:
    """staging, intermediate or marts; base models are a layer below staging."""
    return "base" if "base" in model["fqn"][:-1] else str(model["fqn"][1])


def test_a_model_opens_with_one_row_per_and_its_description_says_the_same(
    manifest: dict[str, Any],
) -> None:
    wrong = []
    for model in models(manifest):
        first = model["raw_code"].splitlines()[0]
        said = " ".join(model["description"].split())
        if not re.match(r"-- One row per .+\.$", first) or not said.startswith(
            first.removeprefix("-- ")
        ):
            wrong.append(model["name"])
    assert not wrong


def test_every_column_of_a_model_is_described(manifest: dict[str, Any]) -> None:
    wrong = [m["name"] for m in models(manifest) if not m["columns"]]
    wrong += [
        f"{model['name']}.{column['name']}"
        for model in models(manifest)
        for column in model["columns"].values()
        if len(column["description"]) < 10
    ]
    assert not wrong


def test_every_mart_has_an_enforced_contract_with_types(
    manifest: dict[str, Any],
) -> None:
    marts = [model for model in models(manifest) if layer(model) == "marts"]
    assert len(marts) >= 30
    for model in marts:
        assert model["config"]["contract"]["enforced"], model["name"]
        for column in model["columns"].values():
            assert column["data_type"], (model["name"], column["name"])


def test_every_model_has_a_tested_grain(manifest: dict[str, Any]) -> None:
    grains = ("unique", "unique_combination")
    tested = {
        test["attached_node"]
        for test in manifest["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") in grains
    }
    missing = [
        model["name"]
        for model in models(manifest)
        # An ephemeral model is a step of its readers, whose grain is tested.
        if model["config"]["materialized"] != "ephemeral"
        and model["unique_id"] not in tested
    ]
    assert not missing


# What each layer may read. Marts read staging where nothing lies between: a model that
# hands rows through would only cost a node.
MAY_READ = {
    "base": {"source", "base"},
    "staging": {"source", "base"},
    # `built` is what the build before left: read to find what has to be made anew.
    "intermediate": {"staging", "intermediate", "built"},
    "marts": {"staging", "intermediate", "marts"},
}
# Edges against the layers that are still there; this list only ever becomes shorter.
STILL_BACKWARD: set[tuple[str, str]] = set()
# Staging models that nothing reads yet.
STILL_UNREAD: set[str] = set()
# Models that read a relation which the lineage does not show.
STILL_HIDDEN: set[str] = set()
# A relation made from its name, or named by schema and table.
NAMED_RELATION = r"api\.Relation\.create|adapter\.get_relation|load_relation"
NAMED_TABLE = r"(?<!distinct )\b(?:from|join)\s+[a-z_\"]+\.[a-z_\"]+"


def source_layer(key: str) -> str:
    """`built` for the tables of the build before, `source` for raw."""
    return "built" if key.split(".")[2] == "built" else "source"


def may_read(reader: str, read: str) -> bool:
    """Whether a model of one layer may read one of another, or a source."""
    return read in MAY_READ[reader]


def test_a_model_reads_only_the_layers_it_may(manifest: dict[str, Any]) -> None:
    by_id = {model["unique_id"]: model for model in models(manifest)}
    backward = {
        (model["name"], (by_id.get(parent) or manifest["sources"][parent])["name"])
        for model in by_id.values()
        for parent in model["depends_on"]["nodes"]
        if not may_read(
            layer(model),
            layer(by_id[parent]) if parent in by_id else source_layer(parent),
        )
    }
    assert sorted(backward) == sorted(STILL_BACKWARD)
    # The control: the rule tells the layers apart.
    assert not may_read("staging", "intermediate")
    assert not may_read("intermediate", "marts")
    assert not may_read("marts", "base")


def hidden_readers(manifest: dict[str, Any]) -> set[str]:
    """Models that reach a relation of the project without ref or source."""
    hiding = {
        key
        for key, macro in manifest["macros"].items()
        if macro["package_name"] == "scrobble_warehouse"
        and re.search(NAMED_RELATION, macro["macro_sql"])
    }
    while True:
        more = {
            key
            for key, macro in manifest["macros"].items()
            if key not in hiding and hiding & set(macro["depends_on"]["macros"])
        }
        if not more:
            break
        hiding |= more
    # dbt notes no macro that stands in a branch it did not take while parsing.
    called = "|".join([NAMED_RELATION, *(key.split(".")[-1] for key in hiding)])
    return {
        model["name"]
        for model in models(manifest)
        if hiding & set(model["depends_on"]["macros"])
        or re.search(rf"\b(?:{called})\(", model["raw_code"])
        or re.search(NAMED_TABLE, without_comments(model["raw_code"]))
    }


def test_a_model_reads_nothing_that_the_lineage_does_not_show(
    manifest: dict[str, Any],
) -> None:
    assert sorted(hidden_readers(manifest)) == sorted(STILL_HIDDEN)
    # The control: what is looked for is found.
    assert re.search(NAMED_TABLE, "from marts.dim_artists")
    assert not re.search(NAMED_TABLE, "from {{ ref('dim_artists') }}")


def test_every_model_below_the_marts_is_read(manifest: dict[str, Any]) -> None:
    read = {
        parent
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" or not node.get("attached_node")
        for parent in node["depends_on"]["nodes"]
    }
    unread = {
        model["name"]
        for model in models(manifest)
        if layer(model) != "marts" and model["unique_id"] not in read
    }
    assert unread == STILL_UNREAD


def test_every_source_is_described_and_says_how_fresh_it_has_to_be(
    manifest: dict[str, Any],
) -> None:
    for source in manifest["sources"].values():
        assert source["description"], source["name"]
    lastfm = [s for s in manifest["sources"].values() if s["source_name"] == "lastfm"]
    for source in lastfm:
        after = (source["freshness"] or {}).get("error_after") or {}
        has_time = bool(source["loaded_at_field"] and after.get("count"))
        # A spelling has no time of its own: it came with the row that holds it.
        assert has_time != (source["name"] == "name_keys"), source["name"]


def test_every_raw_table_is_a_source_that_a_model_reads_or_that_says_why_none_does(
    manifest: dict[str, Any],
) -> None:
    from ingest.lastfm.recipes import TABLES

    sources = {
        source["identifier"]: source
        for key, source in manifest["sources"].items()
        if source_layer(key) == "source"
    }
    assert set(TABLES) == set(sources)
    read = {
        parent for model in models(manifest) for parent in model["depends_on"]["nodes"]
    }
    kept = {
        source["identifier"]
        for source in sources.values()
        if source["config"]["meta"].get("kept_for")
    }
    unread = {name for name, s in sources.items() if s["unique_id"] not in read}
    assert unread == kept


def test_names_of_columns_say_type_or_unit(manifest: dict[str, Any]) -> None:
    types = {
        r"(is|has)_\w+": {"boolean"},
        r"\w+_at": {"timestamp"},
        r"\w+_date": {"date"},
        r"\w+_id": {"text", "bigint"},
        r"\w+_pct": {"double precision"},
    }
    kinds = {
        "boolean": r"(is|has)_\w+",
        "timestamp": r"\w+_at",
        "date": r"\w+_(date|start|end)",
    }
    wrong = []
    for model in models(manifest):
        for column in model["columns"].values():
            name, kind = column["name"], column["data_type"]
            said = next((v for k, v in types.items() if re.fullmatch(k, name)), None)
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or (
                kind is not None
                and (
                    (said and kind not in said)
                    or not re.fullmatch(kinds.get(kind, r"\w+"), name)
                )
            ):
                wrong.append(f"{model['name']}.{name} {kind}")
    assert not wrong


def sql_files() -> list[Path]:
    folders = ("models", "data_tests", "macros")
    return [path for folder in folders for path in (PROJECT / folder).rglob("*.sql")]


def without_comments(text: str) -> str:
    text = re.sub(r"\{#.*?#\}", "", text, flags=re.S)
    return re.sub(r"--.*", "", text)


def test_no_model_says_what_one_of_the_engines_does_not_know() -> None:
    for path in sql_files():
        if path.parent.name == "portable":
            continue
        text = without_comments(path.read_text(encoding="utf-8"))
        for pattern, reason in FORBIDDEN.items():
            assert not re.search(pattern, text, re.I), f"{path}: {reason}"
    # The control: the patterns find what they forbid.
    assert re.search(r"[^/\s]\s*//", "a // b") and not re.search(
        r"[^/\s]\s*//", "a / b"
    )


def test_engines_are_told_apart_in_one_folder_only() -> None:
    # The run's own lock is PostgreSQL's, and so are indexes.
    index = re.compile(r"\] if target\.type == 'postgres' else \[\]")
    wrong = [
        path.name
        for path in sql_files()
        if path.parent.name != "portable"
        and path.name != "fence_guard.sql"
        and re.search(
            DIFFERENCES,
            index.sub("]", without_comments(path.read_text(encoding="utf-8"))),
        )
    ]
    assert not wrong


def test_a_macro_says_what_it_does_and_bears_its_files_name() -> None:
    for path in (PROJECT / "macros").rglob("*.sql"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("{#"), path.name
        names = set(re.findall(r"macro (?:default__|duckdb__|postgres__)?(\w+)", text))
        names |= set(re.findall(r"{% (?:test|materialization) (\w+)", text))
        assert any(path.stem in name for name in names), path.name


def test_lines_of_sql_fit_in_88_columns() -> None:
    wrong = [
        f"{path.name}: {line}"
        for path in sql_files()
        for line in path.read_text(encoding="utf-8").splitlines()
        # The guard's text is that of warehouse/fence.py, to the letter.
        if len(line) > 88 and path.name != "fence_guard.sql"
    ]
    assert not wrong


def test_a_star_stands_only_in_imports_and_at_the_end() -> None:
    for path in (PROJECT / "models").rglob("*.sql"):
        text = without_comments(path.read_text(encoding="utf-8"))
        for match in re.finditer(r"(select\s+)?([a-z_]+\.)?\*\s+from\s+(\S+)", text):
            assert match.group(1) and not match.group(2), f"{path}: {match.group()}"
