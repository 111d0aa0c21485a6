"""What the warehouse knows of each mart: its model's config and `meta` in dbt.

Owns the reading of dbt's manifest. No other module may know a mart by name: how a mart
is published, judged and shown stands beside its description in its folder's yml file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment
from pydantic import BaseModel, ConfigDict, ValidationError

from warehouse.errors import BuildFailed

FOLDER = "marts"
# Tests of a model that say what tells its rows apart.
GRAINS = ("unique", "unique_combination")
# Of a column: dimension, and which of the mart's rows hold its keys.
Dimensions = Mapping[str, str]
ALL_ROWS = "true"


class Question(BaseModel):
    """A question that people have, and the route (below ``/api/v1``) that answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str
    route: str


class Freshness(BaseModel):
    """How old the newest `column` (a date) may be before a day is not published."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    error_after_days: int


class Counters(BaseModel):
    """Counters by key and day, of which a day is compared with the day before.

    The sum of `total` moves within limits, and most rows change in some of `columns`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    day: str
    total: str
    columns: tuple[str, ...]


class Meta(BaseModel):
    """The `meta` of a mart's model.

    Attributes:
        segment: the column by whose values publishing compares and rewrites the mart:
            all rows of a day, or all of an artist.
        months: a date column by whose months PostgreSQL keeps the mart in parts.
        indexes: columns of each index of the published mart on PostgreSQL; the rows are
            written in the order of the first.
        freshness: when the mart is too old to be published.
        counters: what the gates compare with the day before.
        questions: rows of the README's table.
        public: whether everybody may see every row, or the condition (SQL) of the rows
            that everybody may see.
        routes: routes below ``/api/v1`` that read the mart.
        pages: pages that show it.
        undeclared_keys: why the file for tools declares no key of the mart.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    segment: str
    months: str | None = None
    indexes: tuple[tuple[str, ...], ...] = ()
    freshness: Freshness | None = None
    counters: Counters | None = None
    questions: tuple[Question, ...] = ()
    public: bool | str = False
    routes: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    undeclared_keys: str | None = None


@dataclass(frozen=True)
class Mart:
    """A mart: its name, its descriptions by column, its owner, keys, and its `meta`.

    `key` are the columns of its tested grain; `dimensions` says of a column in which
    dimensions its values stand.
    """

    name: str
    description: str
    columns: Mapping[str, str]
    group: str | None
    owner: str | None
    meta: Meta
    key: tuple[str, ...] = ()
    dimensions: Mapping[str, Dimensions] = field(default_factory=dict)

    @property
    def references(self) -> dict[str, str]:
        """The dimension of each column whose values all stand in one."""
        return {
            column: dimension
            for column, found in self.dimensions.items()
            for dimension, rows in found.items()
            if rows == ALL_ROWS
        }

    @property
    def texts(self) -> dict[str, str]:
        """What the database says of the mart ('') and of its columns, keys included."""
        key = f" Key: {', '.join(self.key)}." if self.key else ""
        return {"": self.description + key} | {
            column: " ".join([text, *_key_words(self.dimensions.get(column, {}))])
            for column, text in self.columns.items()
        }


def _key_words(dimensions: Dimensions) -> list[str]:
    return [
        f"Stands in {dimension}." if rows == ALL_ROWS else f"In {dimension} if {rows}."
        for dimension, rows in dimensions.items()
    ]


Marts = Mapping[str, Mart]


def read_marts(project: Any) -> dict[str, Mart]:
    """The marts of a parsed project (dbt's ``Manifest``), by name.

    Raises:
        BuildFailed: a mart's `meta` lacks something or names a column it has not.
    """
    owners = {group.name: group.owner.name for group in project.groups.values()}
    grains = _grains(project)
    dimensions_of = _mart_keys(project)
    marts = {}
    for node in project.nodes.values():
        if node.resource_type == "model" and node.fqn[1] == FOLDER:
            where = (node.patch_path or node.original_file_path).split("://")[-1]
            marts[node.name] = Mart(
                name=node.name,
                description=node.description.strip(),
                columns={c.name: c.description.strip() for c in node.columns.values()},
                group=node.config.group,
                owner=owners.get(node.config.group),
                meta=read_meta(node.name, where, node.config.meta, node.columns),
                key=grains.get(node.unique_id, ()),
                dimensions={
                    column: {
                        dimension: rows
                        for dimension, rows in dimensions_of(node.name, column).items()
                        if dimension != node.name
                    }
                    for column in node.columns
                },
            )
    return marts


def _grains(project: Any) -> dict[str, tuple[str, ...]]:
    """The columns of each model's tested grain."""
    found = {}
    for test in project.nodes.values():
        named = getattr(test, "test_metadata", None)
        if named is not None and named.name in GRAINS:
            columns = named.kwargs.get("columns") or [named.kwargs["column_name"]]
            found[test.attached_node] = tuple(columns)
    return found


def _mart_keys(project: Any) -> Callable[[str, str], Dimensions]:
    """The project's macro `mart_keys`, to be asked as dbt asks it.

    It is the one place that says which dimension a key stands in, and reads nothing of
    a database; dbt's own `return` is a function that ends a macro.
    """
    (macro,) = (m for m in project.macros.values() if m.name == "mart_keys")
    answers: list[Dimensions] = []
    template = Environment(autoescape=False).from_string(
        macro.macro_sql, globals={"return": answers.append}
    )
    ask: Any = getattr(template.module, macro.name)

    def dimensions_of(mart: str, column: str) -> Dimensions:
        ask(mart, column)
        return answers.pop()

    return dimensions_of


def read_meta(
    name: str, where: str, meta: Mapping[str, Any], columns: Iterable[str]
) -> Meta:
    """The checked `meta` of the mart `name` with these columns.

    Args:
        where: the file that holds it, for the message.

    Raises:
        BuildFailed: something is missing or wrong; says what to add, and where.
    """
    if not meta.get("segment"):
        raise BuildFailed(
            f"mart {name} does not say by which column publishing compares and rewrites"
            f" it: add `config: {{meta: {{segment: COLUMN}}}}` to {name} in {where},"
            " with the column whose rows change together, such as a day or an artist"
        )
    try:
        read = Meta.model_validate(dict(meta))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
        )
        raise BuildFailed(
            f"the meta of mart {name} in {where} is wrong: {wrong}"
        ) from None
    named = {read.segment, *(column for index in read.indexes for column in index)}
    named |= {read.months} if read.months else set()
    named |= {read.freshness.column} if read.freshness else set()
    if read.counters:
        counters = read.counters
        named |= {counters.key, counters.day, counters.total, *counters.columns}
    if missing := sorted(named - set(columns)):
        raise BuildFailed(
            f"the meta of mart {name} in {where} names {', '.join(missing)}, which"
            " the mart has no column of"
        )
    return read
