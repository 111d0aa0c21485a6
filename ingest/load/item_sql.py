"""SQL made of recipes: from the JSON of an answer to typed columns or an error.

Owns the text of the statements, for DuckDB only. Must not run anything.

There are two readings of an answer. The *careful* one decides what a value is: it knows
every shape and finds the error of every item. The *plain* one reads an answer in one
pass into a typed structure and is four times as fast; it is used for the one method
that makes up the bulk of the data and only for answers in which nothing whatever is
unusual, all others go through the careful one. Both give the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ingest.lastfm.recipes import SQL_TYPES, TABLES, Column, Recipe, Source
from ingest.lastfm.spellings import KEYED_COLUMNS
from ingest.load.recipes import recipes_of

# Each name has a place in an index, and PostgreSQL's take 2,704 bytes with what is
# around them. It packs what repeats, so longer ones may fit: never for sure.
LONGEST_NAME_BYTES = 2600

# Stands before the name of a JSON type that no column takes. last.fm's texts cannot
# begin like this: U+0001 and U+0002 side by side.
_IMPOSSIBLE = "chr(1) || chr(2)"

# An address of a picture of last.fm's, on any of the hosts it has had, with its id. The
# star stands where it has no picture, and is none.
_COVER = (
    r"^https?://(?:lastfm\.freetls\.fastly\.net|lastfm-img2\.akamaized\.net"
    r"|img2-ak\.lst\.fm)/i/u/(?:[0-9a-z]+/)?([0-9a-f]{32})\.(?:png|jpe?g|gif|webp)$"
)
_STAR = "2a96cbd8b46e442fc41c2b86b821562f"

# A page without its own number is what was asked for, or the first; last.fm numbers
# some first pages 0. Places in a list count over pages.
_PAGE_PATHS = ("@attr/page", "page", "@attr/perPage", "perPage")


def text_literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def name_literal(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _pointer(path: str) -> str:
    return text_literal(f"/{path}")


def _pointers(paths: Sequence[str]) -> str:
    return "[" + ", ".join(_pointer(path) for path in paths) + "]"


def value_columns(recipe: Recipe) -> list[Column]:
    """The columns of the recipe's table that it fills, in the table's order."""
    return [
        column
        for column in TABLES[recipe.table].columns
        if column.name in recipe.values
    ]


def rows_table_ddl(table: str) -> str:
    """A table that gathers the rows of a raw table, each with its answer's number."""
    types = SQL_TYPES["duckdb"]
    columns = ", ".join(
        f"{name_literal(column.name)} {types[column.kind]}"
        for column in TABLES[table].columns
        if column.name != "load_id"
    )
    return f"create table rows_{table} (answer_no bigint, {columns})"


# ---------------------------------------------------------------- the careful reading


def _kind(value: str) -> str:
    """The type of extracted JSON by its first character, without parsing it again."""
    return f"""case left(cast({value} as varchar), 1)
        when '{{' then 'OBJECT' when '[' then 'ARRAY' when '"' then 'VARCHAR'
        when 'n' then 'NULL' when 't' then 'BOOLEAN' when 'f' then 'BOOLEAN'
        when '' then 'MISSING' else
            case when {value} is null then 'MISSING' else 'NUMBER' end
        end"""


def roots_sql(method: str) -> str:
    """One row per answer of the method: the object around its items, and its type."""
    names = recipes_of(method)[0].roots
    found = ", ".join(f"json_extract(body, {_pointer(name)})" for name in names)
    which = " ".join(
        f"when json_exists(body, {_pointer(name)}) then {text_literal(name)}"
        for name in names
    )
    return f"""
        select
            answer_no,
            params,
            root,
            root_name,
            {_kind("root")} as root_type
        from (
            select
                answer_no,
                params,
                coalesce({found}) as root,
                case {which} else {text_literal(names[0])} end as root_name
            from judged
            where method_key = {text_literal(method.lower())} and problem is null
        )
    """


def _is_empty(value: str, kind: str) -> str:
    """Whether a JSON value is one of last.fm's ways to say that there is nothing."""
    blank = r"'\"(\\[ntr]| )*\"'"
    return f"""case {kind}
        when 'MISSING' then true
        when 'NULL' then true
        when 'VARCHAR' then regexp_full_match(cast({value} as varchar), {blank})
        when 'ARRAY' then cast({value} as varchar) = '[]'
        when 'OBJECT' then cast({value} as varchar) = '{{}}'
        else false end"""


def root_problem_sql(method: str) -> str:
    """The reason why an answer's root cannot be read, null when it can."""
    lists = [recipe for recipe in recipes_of(method) if recipe.items]
    direct = [recipe.items for recipe in lists if "/" not in recipe.items]
    strange = "null"
    if direct and len(lists) == len(recipes_of(method)):
        # An empty page holds only texts about itself. Something else in the place of
        # the list means that the API has changed: that must not look like "nothing".
        known = ", ".join(text_literal(name) for name in (*direct, "@attr"))
        strange = (
            f"case when json_exists(root, {_pointer(direct[0])}) then null"
            " when root_type = 'OBJECT' and len(list_filter(json_keys(root), "
            f"lambda key: key not in ({known}) and json_type(root, '/' || "
            "replace(replace(key, '~', '~0'), '/', '~1')) in ('OBJECT', 'ARRAY')"
            f")) > 0 then 'has no list \"{direct[0]}\" but something else' end"
        )
    return f"""case
        when root_type = 'MISSING' then 'the answer has no "' || root_name || '"'
        when root_type <> 'OBJECT' and not {_is_empty("root", "root_type")}
            then '"' || root_name || '" is ' || lower(root_type) || ', not an object'
        else {strange}
    end"""


def nodes_sql(recipe: Recipe) -> str:
    """One row per answer in table `roots` that holds something for this recipe.

    `node` is the item or the list of items; the texts beside it are the page's own.
    """
    root_paths = _root_paths(recipe)
    node, container = "root", None
    if recipe.items:
        node = f"json_extract(root, {_pointer(recipe.items)})"
        above = recipe.items.rpartition("/")[0]
        container = f"json_extract(root, {_pointer(above)})" if above else None
    if container is not None:
        # Something in the place of the object around the list counts as one bad item.
        node = (
            f"case when coalesce(json_type({container}), 'OBJECT') = 'OBJECT'"
            f" then {node} else {container} end"
        )
    return f"""
        select
            answer_no,
            root_name,
            json_extract_string(root, {_pointers(root_paths)}) as root_texts,
            json_type(root, {_pointers(root_paths)}) as root_types,
            json_extract_string(params, {_pointers(_params(recipe))}) as param_texts,
            node,
            node_type
        from (
            select *, {_kind("node")} as node_type
            from (select *, {node} as node from roots where root_type = 'OBJECT')
        )
        where not {_is_empty("node", "node_type")}
    """


COUNT_NODES_SQL = """
    select
        answer_no,
        case when node_type = 'ARRAY' then json_array_length(node) else 1 end as items
    from nodes
"""


def parsed_sql(recipe: Recipe) -> str:
    """One row per item in table `nodes`: its columns, or the path and the error."""
    item_paths = _item_paths(recipe)
    columns = value_columns(recipe)
    chosen = ",\n".join(
        f"{_chosen(recipe, column)} as {name_literal(column.name)}"
        for column in columns
    )
    casts = ",\n".join(
        f"{_cast(recipe, column)} as {name_literal('as ' + column.name)}"
        for column in columns
    )
    values = ",\n".join(
        f"{name_literal('as ' + column.name)} as {name_literal(column.name)}"
        for column in columns
    )
    errors = ",\n".join(_error(recipe, column) for column in columns)
    return f"""
        with items as (
            select
                * exclude (node, node_type),
                (generate_subscripts(list, 1) - 1)::integer as item_index,
                coalesce(unnest(list), cast('null' as json)) as item
            from (
                select *, case
                    when node_type = 'ARRAY' then cast(node as json[]) else [node]
                end as list
                from nodes
            )
        ),
        texts as (
            select
                *,
                {_kind("item")} as item_type,
                json_extract_string(item, {_pointers(item_paths)}) as item_texts,
                json_type(item, {_pointers(item_paths)}) as item_types
            from items
        ),
        chosen as (
            select
                answer_no, root_name, item_index, item, item_type,
                {chosen}
            from texts
        ),
        casted as (select *, {casts} from chosen),
        checked as (
            select *, coalesce(
                case when item_type <> 'OBJECT' then
                    [{_item_path(recipe, "")}, 'is ' || lower(item_type)
                     || ', not an object']
                end,
                {errors}
            ) as error
            from casted
        )
        select
            answer_no, item_index,
            {values},
            case when error is not null then cast(item as varchar) end as item,
            error[1] as path,
            replace(error[2], chr(0), '') as error
        from checked
    """


def _root_paths(recipe: Recipe) -> list[str]:
    paths = list(_PAGE_PATHS)
    for source in recipe.values.values():
        paths += [path for path in source.root if path not in paths]
    return paths


def _item_paths(recipe: Recipe) -> list[str]:
    paths: list[str] = []
    for source in recipe.values.values():
        paths += [path for path in source.item if path not in paths]
    return paths or ["name"]


def _params(recipe: Recipe) -> list[str]:
    params = ["page", "limit"]
    for source in recipe.values.values():
        if source.param and source.param not in params:
            params.append(source.param)
    return params


def _candidate(place: str, number: int) -> str:
    """The text at one place, null when empty, marked when its type fits no column."""
    text, kind = f"{place}_texts[{number}]", f"{place}_types[{number}]"
    return f"""case
        when {kind} in ('OBJECT', 'ARRAY') then
            case when {text} in ('{{}}', '[]') then null
            else {_IMPOSSIBLE} || lower({kind}) end
        when {kind} = 'BOOLEAN' then {_IMPOSSIBLE} || 'boolean'
        else nullif({text}, '') end"""


def _chosen(recipe: Recipe, column: Column) -> str:
    """The text a column is made of: the first place that holds something."""
    source = recipe.values[column.name]
    if source.rule == "position":
        return _position(recipe)
    item_paths, root_paths = _item_paths(recipe), _root_paths(recipe)
    if source.rule == "flag":
        return f"item_texts[{item_paths.index(source.item[0]) + 1}]"
    places = [_candidate("item", item_paths.index(path) + 1) for path in source.item]
    places += [_candidate("root", root_paths.index(path) + 1) for path in source.root]
    if source.param:
        number = _params(recipe).index(source.param) + 1
        asked = f"nullif(param_texts[{number}], '')"
        places.insert(0 if source.is_asked else len(places), asked)
    if source.constant is not None:
        places.append(text_literal(source.constant))
    return f"coalesce({', '.join(places)}, null)"


def _position(recipe: Recipe) -> str:
    """The place in the whole list as text; pages are counted from 1."""
    paths, params = _root_paths(recipe), _params(recipe)

    def number(first: str, second: str, param: str, otherwise: int) -> str:
        places = [f"root_texts[{paths.index(path) + 1}]" for path in (first, second)]
        places.append(f"param_texts[{params.index(param) + 1}]")
        tries = ", ".join(f"try_cast({place} as integer)" for place in places)
        return f"greatest(coalesce({tries}, {otherwise}), 1)::bigint"

    page = number("@attr/page", "page", "page", 1)
    per_page = number("@attr/perPage", "perPage", "limit", 50)
    return f"cast(({page} - 1) * {per_page} + item_index + 1 as varchar)"


def _cast(recipe: Recipe, column: Column) -> str:
    text = name_literal(column.name)
    rule = recipe.values[column.name].rule
    whole = f"case when {_is_whole(text)} then try_cast({text} as bigint) end"
    if rule == "flag":
        return f"coalesce(lower({text}) in ('true', '1'), false)"
    if rule == "seconds":
        return f"try_cast(case when {whole} > 0 then {whole} end as integer)"
    if rule == "milliseconds":
        # Half a second is rounded up; what stays 0 is as unknown as 0 itself.
        seconds = f"(least({whole}, 9000000000000000) + 500) // 1000"
        return f"try_cast(case when {seconds} > 0 then {seconds} end as integer)"
    if rule == "cover":
        cover_id = f"regexp_extract({text}, {text_literal(_COVER)}, 1)"
        return f"nullif(nullif({cover_id}, ''), {text_literal(_STAR)})"
    if rule == "heard":
        return f"try_cast(round(try_cast({text} as double) * 1000) as {column.kind})"
    if column.kind in ("bigint", "integer"):
        return f"case when {_is_whole(text)} then try_cast({text} as {column.kind}) end"
    if column.kind == "double":
        number = f"try_cast({text} as double)"
        return f"case when {_is_number(text)} and isfinite({number}) then {number} end"
    return text


def _is_whole(text: str) -> str:
    return f"regexp_full_match({text}, '\\s*[+-]?[0-9]+\\s*')"


def _is_number(text: str) -> str:
    pattern = r"'\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*'"
    return f"regexp_full_match({text}, {pattern})"


def _is_required(recipe: Recipe, column: Column) -> str | None:
    """When the column must hold something, as a condition; None for never."""
    if column.required:
        return "true"
    if recipe.unless and recipe.unless[0] == column.name:
        return f"not {name_literal('as ' + recipe.unless[1])}"
    return None


def _item_path(recipe: Recipe, path: str) -> str:
    """SQL for the path from the top of the answer to a place in the item."""
    above = "".join(f"/{each}" for each in (recipe.items,) if each)
    below = f" || {text_literal('/' + path)}" if path else ""
    place = "'/' || item_index" if recipe.items else "''"
    return f"root_name || {text_literal(above)} || {place}{below}"


def _error_path(recipe: Recipe, source: Source) -> str:
    if source.item:
        return _item_path(recipe, source.item[0])
    if source.root:
        return f"root_name || {text_literal('/' + source.root[0])}"
    return text_literal(f"params/{source.param}")


def _error(recipe: Recipe, column: Column) -> str:
    """The path and the reason why a column cannot take its text, null when it can."""
    source = recipe.values[column.name]
    if source.rule in ("flag", "heard", "cover"):
        return "null"
    path = _error_path(recipe, source)
    text, value = name_literal(column.name), name_literal("as " + column.name)
    required = _is_required(recipe, column)
    whens = []
    if required:
        whens.append(f"when {text} is null and {required} then [{path}, 'is missing']")
    kind = "text" if column.kind == "text" else "a number"
    whens.append(
        f"when starts_with({text}, {_IMPOSSIBLE}) then"
        f" [{path}, 'is ' || substr({text}, 3) || ', not {kind}']"
    )
    if column.kind == "text":
        whens.append(
            f"when contains({text}, chr(0)) then [{path}, 'holds the character U+0000']"
        )
        if column.name in KEYED_COLUMNS:
            whens.append(
                f"when strlen({text}) > {LONGEST_NAME_BYTES} then"
                f" [{path}, 'is longer than {LONGEST_NAME_BYTES} bytes']"
            )
    else:
        shape = _is_number(text) if column.kind == "double" else _is_whole(text)
        name = "number" if column.kind == "double" else "whole number"
        blank = f"trim({text}, ' \t\r\n') = ''"
        unknown = ""
        if source.rule in ("seconds", "milliseconds"):
            # Zero and below stand for "not known".
            unknown = f" and coalesce(try_cast({text} as double), 1) >= 500"
        nothing = f"then [{path}, 'is missing']" if required == "true" else "then null"
        whens.append(f"when {blank} {nothing}")
        whens.append(
            f"when not {shape} then"
            f" [{path}, 'is no {name}: ' || substr({text}, 1, 100)]"
        )
        whens.append(
            f"when {text} is not null and {value} is null{unknown} then"
            f" [{path}, 'is out of range: ' || substr({text}, 1, 100)]"
        )
    return f"case {' '.join(whens)} end"


# ------------------------------------------------------------------ the plain reading


@dataclass(frozen=True)
class PlainReading:
    """SQL that reads the answers of one method in one pass.

    structure: the type for from_json. usable: whether the parsed answer `plain` may be
    read this way at all. items: its list of items. rows: one row per item of what is
    in `plain_answers`; the answer's number is negative where the careful reading must
    decide. listener_name and total: what the page says of itself.
    """

    method: str
    table: str
    structure: str
    usable: str
    items: str
    rows: str
    listener_name: str
    total: str


def plain_reading(method: str) -> PlainReading:
    """The plain reading of a method with one recipe whose items are a direct list."""
    (recipe,) = recipes_of(method)
    if "/" in recipe.items or not recipe.items:
        raise ValueError(f"{method} has no direct list of items")
    root_name = recipe.roots[0]
    columns = value_columns(recipe)
    item_tree: dict[str, Any] = {}
    root_tree: dict[str, Any] = {}
    for source in recipe.values.values():
        for tree, paths in ((item_tree, source.item), (root_tree, source.root)):
            for path in paths:
                _grow(tree, path.split("/"))
    _grow(root_tree, ["@attr", "total"])
    # A place that can hold both an object and a text is read as an object: a text
    # there gives null, and the careful reading finds it.
    root_tree[recipe.items] = [item_tree]
    structure = orjson.dumps({"error": "VARCHAR", root_name: root_tree}).decode()
    root = f"plain.{name_literal(root_name)}"
    items = f"{root}.{name_literal(recipe.items)}"
    values = ",\n".join(
        f"{_plain_text(recipe.values[column.name], item_tree, root_tree)}"
        f" as {name_literal(column.name)}"
        for column in columns
    )
    casts = ",\n".join(
        f"{_plain_cast(recipe, column)} as {name_literal('as ' + column.name)}"
        for column in columns
    )
    results = ", ".join(
        f"{name_literal('as ' + column.name)} as {name_literal(column.name)}"
        for column in columns
    )
    checks = " and ".join(_plain_check(recipe, column) for column in columns)
    rows = f"""
        with items as (
            select
                answer_no, call_id, as_of_date, fetched_at,
                {root} as root, params,
                (generate_subscripts({items}, 1) - 1)::integer as item_index,
                unnest({items}) as item
            from plain_answers
        ),
        texts as (
            select answer_no, call_id, as_of_date, fetched_at, item_index, {values}
            from items
        ),
        casted as (select *, {casts} from texts)
        select
            case when {checks} then answer_no else -answer_no end as answer_no,
            call_id, as_of_date, fetched_at, item_index, {results}
        from casted
    """
    return PlainReading(
        method=method,
        table=recipe.table,
        structure=structure,
        usable=f"plain.error is null and len({items}) > 0",
        items=items,
        rows=rows,
        listener_name=f'{root}."@attr"."user"',
        total=f'{root}."@attr"."total"',
    )


def _grow(tree: dict[str, Any], path: list[str]) -> None:
    head, *rest = path
    if not rest:
        tree.setdefault(head, "VARCHAR")
        return
    if not isinstance(tree.get(head), dict):
        tree[head] = {}
    _grow(tree[head], rest)


def _plain_text(source: Source, item: dict[str, Any], root: dict[str, Any]) -> str:
    places = []
    for name, tree, paths in (("item", item, source.item), ("root", root, source.root)):
        for path in paths:
            node: Any = tree
            for step in path.split("/"):
                node = node[step] if isinstance(node, dict) else None
            if node == "VARCHAR":
                steps = "".join(f".{name_literal(step)}" for step in path.split("/"))
                places.append(f"nullif({name}{steps}, '')")
    if source.param:
        places.append(
            f"nullif(json_extract_string(params, {_pointer(source.param)}), '')"
        )
    if source.constant is not None:
        places.append(text_literal(source.constant))
    return f"coalesce({', '.join(places)}, null)"


def _plain_cast(recipe: Recipe, column: Column) -> str:
    text = name_literal(column.name)
    if recipe.values[column.name].rule == "flag":
        return f"coalesce({text} = 'true', false)"
    if column.kind in ("bigint", "integer"):
        return f"try_cast({text} as {column.kind})"
    return text


def _plain_check(recipe: Recipe, column: Column) -> str:
    """Whether there is nothing unusual about a value; when in doubt there is."""
    text, value = name_literal(column.name), name_literal("as " + column.name)
    source = recipe.values[column.name]
    if source.rule == "flag":
        return f"({text} is null or {text} = 'true')"
    if source.rule != "plain" or column.kind not in ("text", "bigint", "integer"):
        raise ValueError(f"{column.name} cannot be read the plain way")
    if column.kind == "text":
        # A name may well be "[unknown]"; an object or a list is valid JSON.
        usual = (
            f"not contains({text}, chr(0)) and case ascii({text})"
            f" when 91 then not json_valid({text})"
            f" when 123 then not json_valid({text})"
            f" when 1 then false else {text} not in ('true', 'false') end"
            f" and strlen({text}) <= {LONGEST_NAME_BYTES}"
        )
    else:
        usual = f"cast({value} as varchar) = {text}"
    usual = f"({usual})"
    required = _is_required(recipe, column)
    if required == "true":
        return f"coalesce({usual}, false)"
    if required:
        return f"coalesce({usual}, not ({required}))"
    return f"coalesce({usual}, {text} is null)"
