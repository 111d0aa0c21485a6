"""Landing files into typed rows, dead letters and the record of every answer.

Owns the reading of landing parts and what becomes of each answer and each item of it:
exactly one row or exactly one dead letter. Writes Parquet files under the work folder;
must not touch the warehouse.

The work is done by a DuckDB in memory that reads a bounded stretch of the landing files
at a time and spills to disk, so that memory does not grow with the history.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingest.landing import Part
from ingest.lastfm.recipes import PUBLISHED_TABLES, ROW_TABLES, TABLES
from ingest.lastfm.spellings import KEYED_COLUMNS
from ingest.load import bodies, item_sql
from ingest.load.item_sql import name_literal, text_literal
from ingest.load.recipes import ALL_RECIPES, OWN_METHODS, recipes_of
from warehouse.errors import LoadFailed
from warehouse.names import name_key

# Compressed bytes read at a time: about 25 times as many when unpacked. Two full parts
# fit, because DuckDB reads a compressed file with one thread.
STRETCH_BYTES = 10 * 1024 * 1024
# Bodies read the careful way at a time. Each time costs some hundred statements: with a
# quarter of it the demo world's 90 days took 25 s of processor instead of 15.
CAREFUL_BYTES = 16 * 1024 * 1024
# Threads of our own: DuckDB works on so few, if large, rows with one.
AT_ONCE = 2
MEMORY_LIMIT = "450MB"
# No answer of last.fm comes near this; one that does is kept unread, as a dead letter.
BODY_BYTES = 8 * 1024 * 1024
# Rows of a table are written out when so many have gathered.
FLUSH_ROWS = 400_000
# Names that are given their keys at a time: of the longest some tens of MB.
NAMES_AT_ONCE = 20_000
# A file is written in groups of so many bytes, which are gathered in memory.
GROUP_BYTES = 32 * 1024 * 1024
# DuckDB reads lines of at most so many bytes; twice that is its buffer.
LINE_BYTES = 16 * 1024 * 1024
LONGEST_LINE_BYTES = 160 * 1024 * 1024
LONGEST_LINE_MEMORY = "1500MB"

BULK_METHOD = "user.getRecentTracks"
# Tests switch this off to hold the two readings against each other.
READ_PLAIN = True
WALKS = "lastfm__scrobble_walks"

_LANDING_COLUMNS = {
    "call_id": "varchar",
    "run_id": "varchar",
    "as_of_date": "date",
    "method": "varchar",
    "params": "varchar",
    "context": "varchar",
    "attempt": "integer",
    "fetched_at": "timestamp",
    "status": "integer",
    "verdict": "varchar",
    "encoding": "varchar",
    "body": "varchar",
}

Progress = Callable[[int, int], None]


@dataclass
class Parsed:
    """What came out: Parquet files by table (with ``answer_no``), and the sums.

    brought: of what people bring of their own; what cannot be read there is no fault of
    ours or of last.fm's.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    answers: int = 0
    items: int = 0
    rows: int = 0
    dead: int = 0
    bytes: int = 0
    errors: int = 0
    brought_items: int = 0
    brought_dead: int = 0
    rows_by_table: dict[str, int] = field(default_factory=dict)
    part_answers: dict[str, int] = field(default_factory=dict)


#: The answers looked at: the error they are, or the problem they have.
_JUDGED_SQL = """
    create or replace table judged as
    with bodies as (
        select
            looked_at.* exclude (body),
            case when is_json then looked_at.body else odd.body end as body,
            coalesce(odd.is_html, false) as is_html,
            odd.problem
        from looked_at
        left join odd on odd.answer_no = looked_at.answer_no
    ),
    errors as (
        select
            *,
            json_type(body, ['/error', '']) as types,
            json_extract_string(body, ['/error', '/message']) as texts
        from bodies
    ),
    known as (
        select
            *,
            types[1] is not null as has_error,
            types[2] as body_type,
            texts[1] as error_text,
            texts[2] as message_text
        from errors
    )
    select
        answer_no,
        method_key,
        params,
        body,
        try_cast(error_text as integer) as error_code,
        case
            when has_error then message_text
            when is_html then problem
            when verdict <> 'data' then verdict
            when status <> 200 then 'HTTP ' || status
        end as error_message,
        coalesce(has_error, false) or is_html or verdict <> 'data'
            or status <> 200 as is_error,
        case
            when coalesce(has_error, false) or is_html or verdict <> 'data'
                or status <> 200
            then 'is an error'
            when problem is not null then problem
            when body_type <> 'OBJECT'
            then 'is ' || lower(body_type) || ', not an object'
        end as problem
    from known
"""

#: What became of each answer and its items.
_OUTCOMES_SQL = """
    create table outcomes as
    with counted as (
        select answer_no, sum(items)::bigint as items
        from counts group by answer_no
    ),
    loaded_rows as (
        select answer_no, sum(rows)::bigint as rows
        from loaded group by answer_no
    ),
    dead_items as (
        select answer_no, count(*) as dead from dead group by answer_no
    )
    select
        answers.answer_no,
        coalesce(counted.items, 0) as items,
        coalesce(loaded_rows.rows, 0) as loaded,
        coalesce(dead_items.dead, 0) as dead,
        case
            when is_error then 'error'
            when loaded > 0 then 'rows'
            when dead > 0 then 'dead'
            else 'empty'
        end as outcome
    from answers
    left join counted on counted.answer_no = answers.answer_no
    left join loaded_rows on loaded_rows.answer_no = answers.answer_no
    left join dead_items on dead_items.answer_no = answers.answer_no
"""

#: Answers of which an item is neither a row nor a dead letter.
_MISCOUNTED_SQL = """
    select call_id, method, items, loaded, dead
    from outcomes
    join answers on answers.answer_no = outcomes.answer_no
    where items <> loaded + dead or (is_error and items <> 0)
    order by call_id
    limit 3
"""

_OWN = ", ".join(text_literal(method) for method in sorted(OWN_METHODS))
#: The sums over all answers.
_SUMS_SQL = f"""
    select
        count(*), sum(items), sum(loaded), sum(dead), sum(bytes),
        count(*) filter (where is_error),
        sum(items) filter (where method_key in ({_OWN})),
        sum(dead) filter (where method_key in ({_OWN}))
    from outcomes
    join answers on answers.answer_no = outcomes.answer_no
"""


class Parser:
    """Parses landing parts; use once."""

    def __init__(self, landing_dir: Path, work_dir: Path) -> None:
        self.landing_dir = landing_dir
        self.out_dir = work_dir / "rows"
        self.cut_dir = work_dir / "cut"
        for folder in (self.out_dir, self.cut_dir):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.plain = item_sql.plain_reading(BULK_METHOD) if READ_PLAIN else None
        self.database = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY_LIMIT,
                "temp_directory": str(work_dir / "spill"),
                "preserve_insertion_order": "false",
            },
        )
        self._files: dict[str, list[Path]] = {}
        self._numbers = itertools.count(1)
        for table in (*ROW_TABLES, *PUBLISHED_TABLES):
            self.database.execute(item_sql.rows_table_ddl(table.name))
        self.database.execute(
            """
            create table answers (
                answer_no bigint, part varchar, call_id varchar, attempt integer,
                run_id varchar, as_of_date date, fetched_at timestamp, method varchar,
                method_key varchar, params varchar, context varchar, status integer,
                bytes bigint, verdict varchar, error_code integer,
                error_message varchar, problem varchar, is_error boolean
            );
            create table counts (answer_no bigint, items bigint);
            create table walk_totals (
                answer_no bigint, listener_name varchar, total bigint
            );
            create table dead (
                answer_no bigint, table_name varchar, items_path varchar,
                item_index integer, item varchar, encoding varchar, path varchar,
                error varchar
            );
            """
        )

    def close(self) -> None:
        """Drop the database; the files stay."""
        self.database.close()

    def parse(
        self,
        parts: Sequence[Part],
        answered: pa.Table | None = None,
        progress: Progress | None = None,
        only: pa.Table | None = None,
    ) -> Parsed:
        """Parse the recorded bytes of these parts.

        Args:
            answered: column ``call_id``: calls that earlier loads have an answer to.
            only: columns ``call_id, table_name, item_index``: nothing but these items
                comes out; without a table name every item of the call. The answers
                themselves do not come out then.

        Raises:
            LoadFailed: a file is missing, too short or damaged, or the count of items
                does not come out.
        """
        done = 0
        total = sum(part.bytes for part in parts)
        for stretch in _stretches(parts):
            self._read_stretch(stretch)
            done += sum(part.bytes for part in stretch)
            if progress is not None:
                progress(done, total)
        self._choose_answers(answered)
        self._write_walks()
        for table in (*ROW_TABLES, *PUBLISHED_TABLES):
            self._flush(table.name)
        self._drop_superseded_rows()
        result = self._count(parts)
        if only is None:
            self._write_answers(result)
        else:
            self._keep_only(only, result)
        self._write_dead_letters(result)
        self._write_name_keys(result)
        result.files = {table: files for table, files in self._files.items() if files}
        return result

    # -------------------------------------------------------------------- reading

    def _read_stretch(self, parts: Sequence[Part]) -> None:
        paths = {str(self._whole_path(part)): part.part for part in parts}
        try:
            self.line_bytes = LINE_BYTES
            self._read_lines(list(paths))
        except duckdb.Error as error:
            if "maximum_object_size" not in str(error):
                raise LoadFailed(
                    f"cannot read landing parts {', '.join(paths.values())}: {error}"
                ) from error
            # An answer of more than 16 MB: slowly, but a day must not stop at it.
            self.line_bytes = LONGEST_LINE_BYTES
            self.database.execute(
                f"set threads = 1; set memory_limit = '{LONGEST_LINE_MEMORY}'"
            )
            self._read_lines(list(paths))
        self.database.register(
            "part_names",
            pa.table({"path": list(paths), "part": list(paths.values())}),
        )
        self.database.execute(
            """
            insert into answers by name
            select
                chunk.* exclude (path, plain, body, has_body, is_plain, encoding),
                part_names.part
            from chunk
            join part_names on part_names.path = chunk.path
            """
        )
        self.database.unregister("part_names")
        if self.plain is not None:
            self._read_plain(list(paths))
        self._read_carefully()
        self.database.execute("drop table chunk")

    def _whole_path(self, part: Part) -> Path:
        """The file with exactly the recorded bytes of a part."""
        path = self.landing_dir / part.part
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise LoadFailed(
                f"landing part {part.part} is not in {self.landing_dir};"
                " bring it back, or fetch the day again"
            ) from None
        if size < part.bytes:
            raise LoadFailed(
                f"landing part {part.part} has {size} bytes, {part.bytes} are recorded"
            )
        if size == part.bytes:
            return path
        cut = self.cut_dir / part.part.replace("/", "_")
        with path.open("rb") as source, cut.open("wb") as target:
            left = part.bytes
            while left and (piece := source.read(min(left, 1 << 20))):
                target.write(piece)
                left -= len(piece)
        return cut

    def _read_lines(self, paths: Sequence[str]) -> None:
        """Table `chunk`: one row per landed answer; the body only where needed."""
        files = _literals(paths)
        columns = ", ".join(
            f"{name}: {text_literal(kind)}" for name, kind in _LANDING_COLUMNS.items()
        )
        plain, is_plain = "null", "false"
        if self.plain is not None:
            plain = (
                f"case when method = {text_literal(self.plain.method)}"
                " and status = 200 and encoding = 'utf-8'"
                " and coalesce(verdict, 'data') = 'data'"
                f" and strlen(body) <= {BODY_BYTES}"
                f" then try(from_json(body, {text_literal(self.plain.structure)})) end"
            )
            is_plain = f"coalesce({self.plain.usable}, false)"
        self.database.execute(
            f"""
            create or replace table chunk as
            select
                null::bigint as answer_no,
                * exclude (body, verdict),
                lower(method) as method_key,
                coalesce(verdict, 'data') as verdict,
                null::integer as error_code,
                null::varchar as error_message,
                null::varchar as problem,
                false as is_error,
                {is_plain} as is_plain,
                not ({is_plain}) as has_body,
                case when not ({is_plain}) then body end as body
            from (
                select
                    *,
                    case when encoding = 'base64'
                        then octet_length(from_base64(body)) else strlen(body)
                    end as bytes,
                    {plain} as plain
                from read_json(
                    [{files}],
                    format = 'newline_delimited',
                    compression = 'gzip',
                    filename = 'path',
                    maximum_object_size = {self.line_bytes},
                    columns = {{{columns}}}
                )
            )
            """
        )
        # A sequence in the statement above would make it read with one thread.
        self.database.execute(
            "update chunk set answer_no = rowid + 1"
            " + (select coalesce(max(answer_no), 0) from answers)"
        )

    # ----------------------------------------------------------- the plain reading

    def _read_plain(self, landed: Sequence[str]) -> None:
        """Read the bulk; leave answers with anything unusual to the careful way."""
        assert self.plain is not None
        count, middle = self._one(
            "select count(*), quantile_disc(answer_no, 0.5) from chunk where is_plain"
        )
        if not count:
            return
        halves = [f"answer_no <= {middle}", f"answer_no > {middle}"][:count]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            paths = list(pool.map(self._write_plain, halves))
        unusual = self._arrow(
            "select distinct -answer_no as answer_no"
            f" from read_parquet([{_literals(paths)}]) where answer_no < 0"
        )
        if unusual.num_rows:
            self.database.register("unusual", unusual)
            self._take_back(landed)
            for path in paths:
                self._keep_rows(
                    self.plain.table,
                    path,
                    "abs(answer_no) not in (select answer_no from unusual)",
                )
            self.database.unregister("unusual")
        self.database.execute(
            f"insert into counts select answer_no, len({self.plain.items})"
            " from chunk where is_plain"
        )
        self.database.execute(
            f"insert into walk_totals select answer_no, {self.plain.listener_name},"
            f" try_cast({self.plain.total} as bigint) from chunk where is_plain"
        )

    def _write_plain(self, half: str) -> Path:
        assert self.plain is not None
        with self.database.cursor() as cursor:
            cursor.execute(
                "create temp view plain_answers as"
                f" select * from chunk where is_plain and {half}"
            )
            return self._write(self.plain.table, self.plain.rows, cursor)

    def _take_back(self, paths: Sequence[str]) -> None:
        """Bring back the bodies of answers that are not plain after all."""
        files = _literals(paths)
        columns = ", ".join(
            f"{name}: {text_literal(kind)}" for name, kind in _LANDING_COLUMNS.items()
        )
        self.database.execute(
            f"""
            create or replace temp table unusual_bodies as
            select chunk.answer_no, lines.body
            from read_json(
                [{files}],
                format = 'newline_delimited',
                compression = 'gzip',
                filename = 'path',
                maximum_object_size = {self.line_bytes},
                columns = {{{columns}}}
            ) as lines
            join chunk
                on chunk.path = lines.path and chunk.call_id = lines.call_id
                and chunk.attempt = lines.attempt
                and chunk.fetched_at = lines.fetched_at
            where chunk.answer_no in (select answer_no from unusual);
            update chunk set
                is_plain = false, has_body = true, body = unusual_bodies.body
            from unusual_bodies where unusual_bodies.answer_no = chunk.answer_no;
            drop table unusual_bodies;
            """
        )

    # --------------------------------------------------------- the careful reading

    def _read_carefully(self) -> None:
        stretches = self.database.execute(
            f"""
            select min(answer_no), max(answer_no)
            from (
                select answer_no, cast(sum(bytes) over (order by answer_no) as bigint)
                    // {CAREFUL_BYTES} as stretch
                from chunk where has_body
            )
            group by stretch order by stretch
            """
        ).fetchall()
        for first, last in stretches:
            self._judge(first, last)
            methods = self.database.execute(
                "select distinct method_key from judged where problem is null"
            ).fetchall()
            # Methods do not meet.
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self._read_method, [key for (key,) in methods]))
            self._bury_whole_answers()
        for table in (*ROW_TABLES, *PUBLISHED_TABLES):
            if self._size(f"rows_{table.name}") >= FLUSH_ROWS:
                self._flush(table.name)

    def _judge(self, first: int, last: int) -> None:
        """Table `judged`: the answers that hold data, or the problem they have."""
        self.database.execute(
            f"""
            create or replace table looked_at as
            select
                answer_no, method_key, params, status, verdict, encoding, body,
                bytes > {BODY_BYTES} as is_too_large,
                case when bytes <= {BODY_BYTES} and encoding = 'utf-8'
                    then json_valid(body) else false end as is_json
            from chunk
            where has_body and answer_no between {first} and {last}
            """
        )
        self._read_odd_bodies()
        self.database.execute(
            f"""
            insert into odd
            select answer_no, null, false, 'is larger than {BODY_BYTES} bytes'
            from looked_at where is_too_large
            """
        )
        self.database.execute(_JUDGED_SQL)
        known = ", ".join(
            sorted({text_literal(recipe.method.lower()) for recipe in ALL_RECIPES})
        )
        self.database.execute(
            f"""
            update judged set problem = 'there is no recipe for this method'
            where problem is null and method_key not in ({known})
            """
        )

    def _read_odd_bodies(self) -> None:
        """Table `odd`: what the bodies that are no plain JSON turned out to be."""
        self.database.execute(
            "create or replace table odd (answer_no bigint, body varchar,"
            " is_html boolean, problem varchar)"
        )
        cursor = self.database.cursor()
        cursor.execute(
            "select answer_no, case when encoding = 'base64' then from_base64(body)"
            " else encode(body) end from looked_at"
            " where not is_json and not is_too_large"
        )
        while batch := cursor.fetchmany(64):
            read = [(number, bodies.read_body(body)) for number, body in batch]
            self.database.register(
                "read_bodies",
                pa.table(
                    {
                        "answer_no": pa.array([n for n, _ in read], pa.int64()),
                        "body": pa.array([b.json_text for _, b in read], pa.string()),
                        "is_html": pa.array([b.is_html for _, b in read], pa.bool_()),
                        "problem": pa.array([b.problem for _, b in read], pa.string()),
                    }
                ),
            )
            self.database.execute("insert into odd select * from read_bodies")
            self.database.unregister("read_bodies")
        cursor.close()

    def _read_method(self, method_key: str) -> None:
        with self.database.cursor() as cursor:
            self._read_answers(method_key, cursor.execute)

    def _read_answers(self, method_key: str, run: Any) -> None:
        """Rows, counts and dead letters of a method's judged answers."""
        run(f"create or replace temp table roots as {item_sql.roots_sql(method_key)}")
        run(
            f"""
            update judged set problem = found.problem
            from (
                select answer_no, {item_sql.root_problem_sql(method_key)} as problem
                from roots
            ) as found
            where found.answer_no = judged.answer_no and found.problem is not null
            """
        )
        run(
            "delete from roots where answer_no in"
            " (select answer_no from judged where problem is not null)"
        )
        if method_key == BULK_METHOD.lower():
            run(
                """
                insert into walk_totals
                select
                    answer_no,
                    coalesce(root ->> '/@attr/user', root ->> '/user'),
                    try_cast(
                        coalesce(root ->> '/@attr/total', root ->> '/total') as bigint
                    )
                from roots
                """
            )
        for recipe in recipes_of(method_key):
            run(f"create or replace temp table nodes as {item_sql.nodes_sql(recipe)}")
            if run("select count(*) from nodes").fetchall() == [(0,)]:
                continue
            run(f"insert into counts {item_sql.COUNT_NODES_SQL}")
            run(f"create or replace temp table parsed as {item_sql.parsed_sql(recipe)}")
            names = [column.name for column in item_sql.value_columns(recipe)]
            columns = ", ".join(name_literal(name) for name in names)
            values = ", ".join(f"parsed.{name_literal(name)}" for name in names)
            run(
                f"""
                insert into rows_{recipe.table} (
                    answer_no, call_id, as_of_date, fetched_at, item_index, {columns}
                )
                select
                    parsed.answer_no, chunk.call_id, chunk.as_of_date,
                    chunk.fetched_at, parsed.item_index, {values}
                from parsed
                join chunk on chunk.answer_no = parsed.answer_no
                where parsed.error is null
                """
            )
            run(
                f"""
                insert into dead
                select
                    answer_no, {text_literal(recipe.table)},
                    {text_literal(recipe.items)}, item_index, item, 'utf-8', path, error
                from parsed
                where error is not null
                """
            )

    def _bury_whole_answers(self) -> None:
        """Enter errors in the answers; what cannot be read is one dead letter."""
        self.database.execute(
            """
            update answers set
                error_code = judged.error_code,
                error_message = judged.error_message,
                is_error = judged.is_error,
                problem = judged.problem
            from judged
            where judged.answer_no = answers.answer_no
                and judged.problem is not null;
            insert into counts
            select answer_no, 1 from judged where problem is not null and not is_error;
            insert into dead
            select
                judged.answer_no, null, '', 0,
                case when contains(looked_at.body, chr(0))
                    then base64(encode(looked_at.body)) else looked_at.body end,
                case when contains(looked_at.body, chr(0))
                    then 'base64' else looked_at.encoding end,
                '', judged.problem
            from judged
            join looked_at on looked_at.answer_no = judged.answer_no
            where judged.problem is not null and not judged.is_error;
            """
        )

    # ------------------------------------------------- which answer of a call counts

    def _choose_answers(self, answered: pa.Table | None) -> None:
        """Of each call the last good answer counts; the others become errors."""
        if answered is None:
            answered = pa.table({"call_id": pa.array([], pa.string())})
        self.database.register("answered", answered)
        self.database.execute(
            """
            create table superseded as
            with places as (
                select
                    answer_no,
                    is_error,
                    row_number() over (
                        partition by call_id
                        order by
                            (problem is null) desc, attempt desc, fetched_at desc,
                            answer_no desc
                    ) as good_place,
                    row_number() over (
                        partition by call_id
                        order by attempt desc, fetched_at desc, answer_no desc
                    ) as place,
                    problem is null as is_good,
                    call_id in (select call_id from answered) as is_answered
                from answers
            )
            select
                answer_no,
                case when is_answered then 'an earlier load has the answer'
                    else 'a later answer counts' end as reason
            from places
            where not is_error and (
                is_answered
                or (is_good and good_place > 1)
                -- What cannot be read is a loss only when nothing came after it.
                or (not is_good and (good_place > 1 or place > 1))
            );
            update answers set is_error = true, error_message = superseded.reason
            from superseded where superseded.answer_no = answers.answer_no;
            delete from counts
            where answer_no in (select answer_no from superseded);
            delete from dead
            where answer_no in (select answer_no from superseded);
            """
        )
        self.database.unregister("answered")

    def _drop_superseded_rows(self) -> None:
        if not self._size("superseded"):
            return
        for table in self._files:
            self._filter(
                table, "rows.answer_no not in (select answer_no from superseded)"
            )

    def _keep_only(self, only: pa.Table, result: Parsed) -> None:
        """Drop every row and dead letter but those of the wanted items."""
        self.database.register("wanted_items", only)
        for table in list(self._files):
            # Walks have no items of their own: they come with the whole answer.
            wanted = (
                ""
                if table == WALKS
                else (
                    f" or (wanted_items.table_name = {text_literal(table)}"
                    " and wanted_items.item_index = rows.item_index)"
                )
            )
            result.rows_by_table[table] = self._filter(
                table,
                "exists (select 1 from wanted_items"
                " where wanted_items.call_id = rows.call_id"
                f" and (wanted_items.table_name is null{wanted}))",
            )
            if not result.rows_by_table[table]:
                del result.rows_by_table[table]
        self.database.execute(
            """
            delete from dead where table_name is null or answer_no not in (
                select answer_no from answers
                join wanted_items on wanted_items.call_id = answers.call_id
                where wanted_items.table_name is null
            )
            """
        )
        self.database.unregister("wanted_items")
        result.rows = sum(
            rows for table, rows in result.rows_by_table.items() if table != WALKS
        )
        result.dead = self._size("dead")
        result.items = result.rows + result.dead
        result.answers = 0

    def _filter(self, table: str, condition: str) -> int:
        """Keep the written rows that meet the condition; returns how many."""
        files = list(self._files[table])
        return sum(self._keep_rows(table, path, condition) for path in files)

    def _keep_rows(self, table: str, path: Path, condition: str) -> int:
        """Keep the rows of one written file that meet the condition."""
        kept = path.with_name(f"{path.stem}-kept.parquet")
        self.database.execute(
            f"copy (select rows.* from read_parquet({text_literal(str(path))})"
            f" as rows where {condition}) to {text_literal(str(kept))}"
            " (format parquet)"
        )
        count = f"select count(*) from read_parquet({text_literal(str(kept))})"
        rows = int(self._one(count)[0])
        path.unlink()
        self._files[table].remove(path)
        if rows:
            self._files[table].append(kept)
        else:
            kept.unlink()
        return rows

    def read_calls(self) -> set[str]:
        """The calls whose answer could be read as a whole (after parsing)."""
        return {
            call_id
            for (call_id,) in self.database.execute(
                "select call_id from answers where not is_error and problem is null"
            ).fetchall()
        }

    def written_items(self) -> set[tuple[str, str, int]]:
        """Call, table and index of every row written (after parsing a few)."""
        found: set[tuple[str, str, int]] = set()
        for table, files in self._files.items():
            if (
                files
                and table.startswith(("lastfm__", "imports__", "corrections__"))
                and "item_index" in TABLES[table].column_names
            ):
                paths = _literals(files)
                found |= {
                    (call_id, table, index)
                    for call_id, index in self.database.execute(
                        f"select call_id, item_index from read_parquet([{paths}])"
                    ).fetchall()
                }
        return found

    # -------------------------------------------------------------------- writing

    def _size(self, table: str) -> int:
        return int(self._one(f"select count(*) from {table}")[0])

    def _one(self, query: str) -> tuple[Any, ...]:
        # All rows are fetched: a result left open blocks the connection.
        rows: list[tuple[Any, ...]] = self.database.execute(query).fetchall()
        return rows[0]

    def _arrow(self, query: str) -> pa.Table:
        table: pa.Table = self.database.sql(query).to_arrow_table()
        return table

    def _flush(self, table: str, least: int = 1) -> None:
        """Write the gathered rows of a table out when there are at least so many."""
        if self._size(f"rows_{table}") < least:
            return
        self._write(table, f"select * from rows_{table}")
        self.database.execute(f"truncate rows_{table}")

    def _write(
        self,
        table: str,
        query: str,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> Path:
        files = self._files.setdefault(table, [])
        path = self.out_dir / f"{table}-{next(self._numbers):06d}.parquet"
        (connection or self.database).execute(
            f"copy ({query}) to {text_literal(str(path))}"
            " (format parquet, compression snappy,"
            f" row_group_size_bytes {GROUP_BYTES})"
        )
        files.append(path)
        return path

    def _write_walks(self) -> None:
        """A row for each page of a walk; they come from our own planner's words."""
        self.database.execute(
            f"""
            insert into rows_{WALKS} by name
            select
                answers.answer_no, call_id, as_of_date, fetched_at, 0 as item_index,
                coalesce(walk_totals.listener_name, params ->> '/user')
                    as listener_name,
                context ->> '/walk_id' as walk_id,
                try_cast(context ->> '/walk_from' as bigint) as walk_from_uts,
                try_cast(context ->> '/walk_to' as bigint) as walk_to_uts,
                try_cast(context ->> '/pages' as integer) as pages,
                try_cast(context ->> '/page' as integer) as page,
                walk_totals.total
            from answers
            join walk_totals on walk_totals.answer_no = answers.answer_no
            where not is_error and problem is null
                and method_key = {text_literal(BULK_METHOD.lower())}
                and json_type(context, '/walk_id') = 'VARCHAR'
                and json_exists(context, '/walk_from')
                and json_exists(context, '/walk_to')
                and json_exists(context, '/pages')
                and json_exists(context, '/page')
            """
        )

    def _count(self, parts: Sequence[Part]) -> Parsed:
        """Hold the items counted in the answers against the rows and dead letters.

        Raises:
            LoadFailed: an answer's items are not its rows plus its dead letters.
        """
        self.database.execute("create table loaded (answer_no bigint, rows bigint)")
        result = Parsed()
        for table, files in self._files.items():
            if not files:
                continue
            paths = _literals(files)
            result.rows_by_table[table] = int(
                self._one(f"select count(*) from read_parquet([{paths}])")[0]
            )
            if table != WALKS:
                self.database.execute(
                    "insert into loaded select answer_no, count(*)"
                    f" from read_parquet([{paths}]) group by answer_no"
                )
        self.database.execute(_OUTCOMES_SQL)
        wrong = self.database.execute(_MISCOUNTED_SQL).fetchall()
        if wrong:
            said = "; ".join(
                f"call {call_id} ({method}): {items} items, {loaded} rows,"
                f" {dead} dead letters"
                for call_id, method, items, loaded, dead in wrong
            )
            raise LoadFailed(f"the count of items does not come out: {said}")
        sums = self._one(_SUMS_SQL)
        result.answers, result.items, result.rows, result.dead, result.bytes = (
            int(each or 0) for each in sums[:5]
        )
        result.errors, result.brought_items, result.brought_dead = (
            int(each or 0) for each in sums[5:]
        )
        found = self.database.execute(
            "select part, count(*) from answers group by part"
        ).fetchall()
        result.part_answers = {part.part: 0 for part in parts} | dict(found)
        for part in parts:
            if result.part_answers[part.part] != part.answers:
                raise LoadFailed(
                    f"landing part {part.part} holds"
                    f" {result.part_answers[part.part]} answers,"
                    f" {part.answers} are recorded"
                )
        return result

    def _write_answers(self, result: Parsed) -> None:
        if not result.answers:
            return
        result.rows_by_table["lastfm__answers"] = result.answers
        self._write(
            "lastfm__answers",
            """
            select
                answers.answer_no, call_id, attempt, run_id, as_of_date, fetched_at,
                method, params, context, status, bytes, error_code,
                nullif(replace(error_message, chr(0), ''), '') as error_message,
                outcome, items, loaded, dead
            from answers
            join outcomes on outcomes.answer_no = answers.answer_no
            """,
        )

    def _write_dead_letters(self, result: Parsed) -> None:
        if not self._size("dead"):
            return
        result.rows_by_table["dead_letters"] = result.dead
        # The same item of the same call has the same id whenever it is parsed.
        self._write(
            "dead_letters",
            """
            select
                dead.answer_no,
                md5(concat_ws(
                    chr(31), call_id, coalesce(table_name, ''), items_path, item_index
                )) as dead_letter_id,
                call_id, as_of_date, fetched_at, method, table_name, item_index, item,
                encoding, path, error
            from dead
            join answers on answers.answer_no = dead.answer_no
            """,
        )

    def _write_name_keys(self, result: Parsed) -> None:
        """Every spelling in the rows, with its key."""
        queries = []
        for table, files in self._files.items():
            if not files:
                continue
            paths = _literals(files)
            for column in TABLES[table].columns:
                if column.name in KEYED_COLUMNS:
                    queries.append(
                        f"select distinct {name_literal(column.name)} as name"
                        f" from read_parquet([{paths}])"
                    )
        if not queries:
            return
        self.database.execute("create table keys (name varchar, name_key varchar)")
        with self.database.cursor() as cursor:
            found = cursor.sql(
                f"select name from ({' union '.join(queries)}) where name is not null"
            )
            for batch in found.to_arrow_reader(NAMES_AT_ONCE):
                names = batch.column(0).to_pylist()
                self.database.register(
                    "new_keys",
                    pa.table({"name": names, "name_key": [name_key(n) for n in names]}),
                )
                self.database.execute("insert into keys select * from new_keys")
                self.database.unregister("new_keys")
        result.rows_by_table["lastfm__name_keys"] = self._size("keys")
        self._write("lastfm__name_keys", "select 0::bigint as answer_no, * from keys")


def _literals(paths: Sequence[str | Path]) -> str:
    return ", ".join(text_literal(str(path)) for path in paths)


def _stretches(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Parts in groups of about STRETCH_BYTES, whatever the size of each."""
    group: list[Part] = []
    size = 0
    for part in parts:
        if group and size + part.bytes > STRETCH_BYTES:
            yield group
            group, size = [], 0
        group.append(part)
        size += part.bytes
    if group:
        yield group
