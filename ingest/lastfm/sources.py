"""What the recipes say of their raw tables, written down for dbt.

Owns four files of the dbt project: the entries of the sources ``lastfm``, ``imports``
and ``corrections``, and the macro that lists where names stand. dbt reads them while it
parses, before any database is there to be asked. ``python -m ingest.lastfm.sources``
(``make sources``) writes them; a test compares them with the recipes.
"""

from __future__ import annotations

from pathlib import Path

from ingest import corrections
from ingest.exports import tables as exports
from ingest.lastfm.recipes import ROW_TABLES, TABLES, Thing
from ingest.lastfm.spellings import Spelling, spellings

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
SOURCES = PROJECT / "models" / "staging" / "lastfm" / "_lastfm__sources.yml"
IMPORTS = PROJECT / "models" / "staging" / "imports" / "_imports__sources.yml"
CORRECTIONS = PROJECT / "models" / "staging" / "lastfm" / "_corrections__sources.yml"
SPELLINGS = PROJECT / "macros" / "lastfm_spellings.sql"

_SOURCES_HEAD = """\
# Written by `make sources` from ingest/lastfm/recipes.py; change it there.
version: 2

sources:
  - name: lastfm
    description: >
      What last.fm answered, row by row, append-only. `load_id` counts the loads,
      `call_id` names the call, `item_index` (from 0) the place in its answer,
      `as_of_date` the UTC day the call was made for, `fetched_at` when it was answered
      (UTC). Names are exactly as answered, never cleaned.
    schema: raw
    config:
      loaded_at_field: fetched_at
      freshness:
        warn_after: {count: 36, period: hour}
        error_after: {count: 7, period: day}
    tables:
"""
_IMPORTS_HEAD = """\
# Written by `make sources` from ingest/exports/tables.py; change it there.
version: 2

sources:
  - name: imports
    description: >
      What people brought of their own, from files of other services, row by row,
      append-only, in one form. Times are as the file has them, in UTC; names are never
      cleaned. Nobody imports every day, so it has no freshness.
    schema: raw
    config:
      loaded_at_field: null
      freshness: null
    tables:
"""
_CORRECTIONS_HEAD = """\
# Written by `make sources` from ingest/corrections.py; change it there.
version: 2

sources:
  - name: corrections
    description: >
      What administrators of this warehouse decided about names, row by row,
      append-only: the newest row about a name stands.
    schema: raw
    config:
      loaded_at_field: null
      freshness: null
    tables:
"""
# It has no time of its own; every spelling arrives with the row that holds it.
_NO_FRESHNESS = """\
        config:
          loaded_at_field: null
          freshness: null
"""
_SPELLINGS_HEAD = """\
{# Returns, for each kind of thing, the raw tables where its names stand: source,
   table, columns (expressions in the order of the spellings' columns), is_official and
   playcount (last.fm's plays of the thing, null where it does not say). Written by
   `make sources` from ingest/lastfm/spellings.py; change it there. Exists because dbt
   has to know while it parses which sources a model reads. #}
{% macro lastfm_spellings() %}
{{ return({
"""


def sources_yml() -> str:
    """The entries of dbt's source ``lastfm``, one for each of its raw tables."""
    others = ("lastfm__name_keys", "lastfm__answers")
    text = _SOURCES_HEAD
    answered = [table for table in ROW_TABLES if table.name.startswith("lastfm__")]
    for table in (*answered, *(TABLES[name] for name in others)):
        text += f"      - name: {table.name.removeprefix('lastfm__')}\n"
        text += f"        identifier: {table.name}\n"
        text += f"        description: {table.description}\n"
        if table.name == "lastfm__name_keys":
            text += _NO_FRESHNESS
    return text


def imports_yml() -> str:
    """The entry of dbt's source ``imports``."""
    return _IMPORTS_HEAD + _own_entry(exports.TABLE, exports.DESCRIPTION)


def corrections_yml() -> str:
    """The entry of dbt's source ``corrections``."""
    return _CORRECTIONS_HEAD + _own_entry(corrections.TABLE, corrections.DESCRIPTION)


def _own_entry(table: str, description: str) -> str:
    return (
        f"      - name: {table.partition('__')[2]}\n"
        f"        identifier: {table}\n"
        f"        description: {description}\n"
    )


def spellings_macro() -> str:
    """The macro ``lastfm_spellings``."""
    things: tuple[Thing, ...] = ("artist", "album", "track", "tag")
    text = _SPELLINGS_HEAD
    for thing in things:
        text += f"    '{thing}': [\n"
        for table in ROW_TABLES:
            for spelling in spellings(table):
                if spelling.thing == thing:
                    text += _entry(table.name, spelling)
        text += "    ],\n"
    return text + "}) }}\n{% endmacro %}\n"


def _entry(table: str, spelling: Spelling) -> str:
    columns = "".join(f'            "{each}",\n' for each in spelling.expressions)
    is_official = str(spelling.is_official).lower()
    source, _, name = table.partition("__")
    where = f"'source': '{source}', 'table': '{name}'"
    return (
        f"        {{{where},\n"
        f"         'is_official': {is_official}, 'columns': [\n"
        f"{columns}        ], 'playcount': '{spelling.playcount}'}},\n"
    )


def main() -> None:
    """Write the files."""
    SOURCES.write_text(sources_yml(), encoding="utf-8")
    IMPORTS.parent.mkdir(exist_ok=True)
    IMPORTS.write_text(imports_yml(), encoding="utf-8")
    CORRECTIONS.write_text(corrections_yml(), encoding="utf-8")
    SPELLINGS.write_text(spellings_macro(), encoding="utf-8")


if __name__ == "__main__":
    main()
