"""A mart is one place: its model's config and meta, which the warehouse reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import warehouse
from warehouse.errors import BuildFailed
from warehouse.marts import Mart, Meta, read_marts, read_meta

COLUMNS = ("artist_id", "day", "listeners")


def names_a_mart(source: str, names: list[str]) -> list[str]:
    """The marts that a module names; one that is a plain word, as part of SQL."""
    found = []
    for name in names:
        before = r"\b" if "_" in name else r"(?:\bfrom\s+|\bjoin\s+|\bmarts\}?[.\"]+)"
        if re.search(rf"{before}{name}\b", source):
            found.append(name)
    return found


def test_the_warehouse_names_no_mart(marts: dict[str, Mart]) -> None:
    assert len(marts) >= 35
    folder = Path(warehouse.__file__).parent
    named = {
        path.name: found
        for path in folder.glob("*.py")
        if (found := names_a_mart(path.read_text(encoding="utf-8"), list(marts)))
    }
    assert named == {}


def test_the_control_a_mart_that_is_named_is_found() -> None:
    names = ["fct_scrobbles", "totals", "freshness"]
    assert names_a_mart('X = {"fct_scrobbles": 1}', names) == ["fct_scrobbles"]
    assert names_a_mart("select * from marts.totals", names) == ["totals"]
    assert names_a_mart('f"from {marts}.freshness"', names) == ["freshness"]
    assert names_a_mart('GATES = {"freshness": 1}', names) == []


def test_every_mart_has_a_group_with_an_owner(marts: dict[str, Mart]) -> None:
    assert [mart.name for mart in marts.values() if not mart.group] == []
    assert [mart.name for mart in marts.values() if not mart.owner] == []


def test_a_meta_has_only_what_somebody_reads(project: Any) -> None:
    unread = {
        node.name: sorted(unknown)
        for node in project.nodes.values()
        if node.resource_type == "model" and node.fqn[1] == "marts"
        if (unknown := set(node.config.meta) - set(Meta.model_fields))
    }
    assert unread == {}


def test_a_fact_of_days_is_compared_by_days(marts: dict[str, Mart]) -> None:
    """By another column, every segment of a mart that grows would change every day."""
    days = {"scrobbled_date", "snapshot_date", "value_date", "issue_date"}
    days |= {"price_date", "account_date", "economy_date", "traded_date"}
    facts = [mart for mart in marts.values() if mart.name.startswith("fct_")]
    assert len(facts) >= 8
    for mart in facts:
        assert mart.meta.segment in days, mart.name


def test_a_mart_without_a_segment_is_refused_and_told_what_to_add(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = project.nodes["model.scrobble_warehouse.top_charts"]
    meta = {key: item for key, item in node.config.meta.items() if key != "segment"}
    monkeypatch.setattr(node.config, "meta", meta)
    with pytest.raises(
        BuildFailed,
        match=r"mart top_charts does not say.* add `config: {meta: {segment: COLUMN}}`"
        r" to top_charts in models/marts/charts/_charts__models\.yml",
    ):
        read_marts(project)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"segment": "dya"}, "names dya, which"),
        ({"segment": "day", "indexes": [["artist"]]}, "names artist, which"),
        ({"segment": "day", "months": "month"}, "names month, which"),
        ({"segment": "day", "indexes": "day"}, "indexes: "),
        ({"segment": "day", "freshness": {"column": "day"}}, "error_after_days"),
        (
            {"segment": "day", "freshness": {"column": "at", "error_after_days": 1}},
            "names at, which",
        ),
    ],
)
def test_a_meta_that_is_wrong_is_refused(meta: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildFailed, match=f"mart m in its.yml.*{message}"):
        read_meta("m", "its.yml", meta, COLUMNS)


def test_a_meta_that_is_right_is_read() -> None:
    meta = {"segment": "day", "indexes": [["artist_id", "day"]], "pages": ["/"]}
    read = read_meta("m", "its.yml", meta, COLUMNS)
    assert (read.segment, read.indexes) == ("day", (("artist_id", "day"),))
