"""Who may do what in PostgreSQL: schemas, roles by duty, and their rights.

Owns the table of rights below and the comparison that brings a database to it. Rights
are compared, not just granted: what a managed role has beyond the table is taken away,
and a second run changes nothing. Default privileges make a table that dbt drops and
makes again come with the same rights.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extensions import encrypt_password
from sqlalchemy import Connection, text

from warehouse import hooks, ops, postgres_store
from warehouse.errors import SettingsError
from warehouse.tables import add_missing

PREFIX = "scrobble_"
DUTIES: Mapping[str, str] = {
    "owner": "holds the schemas and may do everything the writing duties may",
    "ingest": "loads what last.fm answered; alone writes schema raw",
    "transform": "builds staging, intermediate and the marts (dbt)",
    "job": "keeps the journal and the lease, publishes, settles the exchange",
    "serve": "answers the pages and the API, keeps the exchange",
    "analyst": "reads the marts",
}
_READ = frozenset({"SELECT"})
_APPEND = frozenset({"SELECT", "INSERT"})
_KEEP = frozenset({"SELECT", "INSERT", "UPDATE"})
_WRITE = _KEEP | {"DELETE"}
_TAKE = _READ | {"UPDATE", "DELETE"}
_REBUILD = _WRITE | {"TRUNCATE"}


@dataclass(frozen=True)
class Schema:
    """A schema: whose duty its tables are, and what the others may do with them."""

    writer: str
    tables: Mapping[str, frozenset[str]]
    only: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)

    def usage(self, duty: str) -> frozenset[str]:
        """What a duty may do with the schema itself."""
        if duty == self.writer:
            return frozenset({"USAGE", "CREATE"})
        named = {each for rights in self.only.values() for each in rights}
        return frozenset({"USAGE"} if duty in {*self.tables, *named} else ())


# `only`: rights on single tables, for duties that must not have them on all.
SCHEMAS: Mapping[str, Schema] = {
    # Its tables are the owner's: who loads appends, and may neither change nor empty
    # them. Rows are taken out where a listener is deleted.
    "raw": Schema("owner", {"ingest": _APPEND, "transform": _READ, "job": _TAKE}),
    "staging": Schema("transform", {"transform": _REBUILD}),
    "intermediate": Schema("transform", {"transform": _REBUILD}),
    "marts_build": Schema("transform", {"transform": _REBUILD, "job": _READ}),
    "marts_store": Schema("job", {"job": _WRITE}),
    "marts": Schema("job", {"job": _READ, "serve": _READ, "analyst": _READ}),
    "ops": Schema(
        "job",
        {"job": _WRITE},
        only={
            "lease": {"ingest": _READ, "transform": _READ},
            "published": {"serve": _READ},
            "versions": {"serve": _READ},
            # How runs ended and what they took, for monitoring.
            "runs": {"serve": _READ},
            "run_steps": {"serve": _READ},
        },
    ),
    # Its tables are the owner's: who may change a table may switch off what guards it.
    # The service reads what a settlement writes, and writes what a player's acts need.
    "exchange": Schema(
        "owner",
        {"serve": _READ, "job": _APPEND, "ingest": _READ},
        only={
            **{
                table: {"serve": _APPEND}
                for table in (*("postings", "transactions", "trades", "market_events"),)
            },
            # A trigger lets only old ones go, and those of players who left.
            "answers": {"serve": _APPEND | {"DELETE"}, "job": _APPEND | {"DELETE"}},
            **{
                table: {"serve": _KEEP, "job": _WRITE}
                for table in ("players", "holdings", "orders")
            },
            "listings": {"serve": _READ | {"UPDATE"}, "job": _WRITE},
            # Who leaves goes from the boards.
            "board_rows": {"serve": _READ | {"DELETE"}, "job": _WRITE},
            "seasons": {"job": _WRITE},
            # Whoever comes first inserts the only row of these.
            "market": {"serve": _KEEP, "job": _KEEP},
            "closing": {"serve": _APPEND, "job": _KEEP},
            "secrets": {"serve": _APPEND},
            "alembic_version": {"job": _READ},
            **{
                table: {"serve": _WRITE, "job": _WRITE}
                for table in (
                    *("departures", "friend_leagues", "friend_league_members"),
                    *("accounts", "account_sessions", "account_tokens"),
                    *("account_logins", "jobs", "serve_state"),
                    *("deletion_requests", "deleted_listeners", "linked_accounts"),
                )
            },
        },
    ),
}
# dlt fills a schema of its own for each load; publishing and dbt use temporary tables.
DATABASE: Mapping[str, frozenset[str]] = {
    "owner": frozenset({"CONNECT", "TEMPORARY", "CREATE"}),
    "ingest": frozenset({"CONNECT", "TEMPORARY", "CREATE"}),
    "transform": frozenset({"CONNECT", "TEMPORARY"}),
    "job": frozenset({"CONNECT", "TEMPORARY"}),
    "serve": frozenset({"CONNECT"}),
    "analyst": frozenset({"CONNECT"}),
}
# Of the role and of each login that has the duty: a login does not inherit settings.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "analyst": {
        "default_transaction_read_only": "on",
        "statement_timeout": "60s",
        "idle_in_transaction_session_timeout": "15min",
        "search_path": "marts",
        "TimeZone": "UTC",
    },
    "serve": {"idle_in_transaction_session_timeout": "60s", "TimeZone": "UTC"},
    "job": {"TimeZone": "UTC"},
}


@dataclass(frozen=True)
class Login:
    """A login user and the duties it has."""

    name: str
    duties: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One thing that was not as it should be; `secret` is shown once, to the admin."""

    text: str
    secret: str | None = None


def parse_login(value: str) -> Login:
    """Read `name=duty,duty`.

    Raises:
        SettingsError: the name is no plain word or a duty is unknown.
    """
    name, _, listed = value.partition("=")
    duties = tuple(duty.strip() for duty in listed.split(",") if duty.strip())
    unknown = sorted(set(duties) - set(DUTIES))
    if not name.isidentifier() or name != name.lower() or not duties or unknown:
        raise SettingsError(
            f"--login {value!r} must be like reader=analyst or"
            f" daily=ingest,transform,job; duties are: {', '.join(DUTIES)}"
        )
    if name.removeprefix(PREFIX) in DUTIES:
        raise SettingsError(f"{name} is a duty's own role and cannot be a login")
    return Login(name, duties)


def bring_about(connection: Connection, logins: Sequence[Login] = ()) -> list[Change]:
    """Make the database as the table of rights says, in the caller's transaction."""
    work = _Work(connection)
    for step in (
        work.roles,
        lambda: work.logins(logins),
        work.settings,
        work.schemas,
        work.tables,
        work.owners,
        work.database,
        work.schema_rights,
        work.table_rights,
        work.sequence_rights,
        work.default_rights,
    ):
        step()
    return work.changes


def role_of(duty: str) -> str:
    """The name of a duty's role."""
    return PREFIX + duty


class _Work:
    """The steps, each comparing what is with what should be."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.changes: list[Change] = []
        self.database_name = str(self._value("select current_database()"))

    def roles(self) -> None:
        """One role a duty that nobody logs in as; the owner has the writing duties."""
        there = set(self._column("select rolname from pg_roles"))
        for duty, meaning in DUTIES.items():
            if role_of(duty) not in there:
                self._do(f"create role {role_of(duty)} nologin")
                self._do(f"comment on role {role_of(duty)} is '{meaning}'")
                self._said(f"created role {role_of(duty)}: {meaning}")
        for duty in ("ingest", "transform", "job", "serve"):
            self._join(role_of("owner"), duty)

    def logins(self, logins: Sequence[Login]) -> None:
        """The login users asked for; those there before keep their password."""
        there = set(self._column("select rolname from pg_roles"))
        for login in logins:
            if login.name not in there:
                password = secrets.token_urlsafe(24)
                driver: Any = self.connection.connection.dbapi_connection
                # Hashed here: the server's log never holds the password.
                hashed = encrypt_password(password, login.name, driver, "scram-sha-256")
                self._do(f"create role {login.name} login password '{hashed}'")
                self._said(f"created login {login.name}", password)
            for duty in login.duties:
                self._join(login.name, duty)

    def settings(self) -> None:
        """What a session of a duty starts with, for its role and all its logins."""
        for duty, wanted in SETTINGS.items():
            for role in [role_of(duty), *self._members(duty)]:
                now = self._settings_of(role)
                for name, value in wanted.items():
                    if now.get(name.lower()) != value:
                        self._do(f"alter role {role} set {name} = '{value}'")
                        self._said(f"set {name} = {value} for {role}")

    def schemas(self) -> None:
        """All schemas, held by the owner."""
        owners = dict(
            self._rows("select nspname, pg_get_userbyid(nspowner) from pg_namespace")
        )
        owner = role_of("owner")
        for name in SCHEMAS:
            if name not in owners:
                self._do(f"create schema {name} authorization {owner}")
                self._said(f"created schema {name}")
            elif owners[name] != owner:
                self._do(f"alter schema {name} owner to {owner}")
                self._said(f"gave schema {name} to {owner} (was {owners[name]})")

    def tables(self) -> None:
        """The tables whose rights differ from their schema's must be there first."""
        connection = self.connection.execution_options(
            schema_translate_map={None: "ops"}
        )
        before = set(self._relations("ops", "r"))
        changed = [
            *add_missing(connection, ops.metadata),
            *add_missing(connection, postgres_store.metadata),
        ]
        self.connection.execution_options(schema_translate_map={})
        for name in sorted(set(self._relations("ops", "r")) - before):
            self._said(f"created table ops.{name}")
        for name in changed:
            self._said(f"added ops.{name}")
        # Whoever runs the day uses these and may not create them.
        for name, create_tables in hooks.TABLES.all().items():
            if create_tables(self.connection):
                self._said(f"brought the tables of {name} up to date")

    def owners(self) -> None:
        """What a login made belongs to the duty, so that its next login can go on."""
        for name, schema in SCHEMAS.items():
            writer = role_of(schema.writer)
            moved = 0
            for relation, kind, owner in self._rows(
                "select c.relname, c.relkind, pg_get_userbyid(c.relowner)"
                " from pg_class as c where c.relnamespace = to_regnamespace(:schema)"
                " and (c.relkind in ('r', 'p', 'v', 'm') or c.relkind = 'S'"
                "   and not exists (select 1 from pg_depend as d where d.objid = c.oid"
                "     and d.deptype in ('a', 'i')))"
                " order by c.relname",
                schema=name,
            ):
                if owner != writer:
                    word = {"v": "view", "m": "materialized view", "S": "sequence"}
                    self._do(
                        f"alter {word.get(kind, 'table')} {name}.{_quoted(relation)}"
                        f" owner to {writer}"
                    )
                    moved += 1
            if moved:
                self._said(f"gave {moved} tables of {name} to {writer}")

    def database(self) -> None:
        """Who may connect, and make schemas and temporary tables."""
        now = self._rights(
            "select 'database', datacl, datdba, 'd' from pg_database"
            " where datname = current_database()"
        )
        self._compare(
            "database",
            "database",
            f"database {_quoted(self.database_name)}",
            now.get("database", {}),
            {role_of(duty): rights for duty, rights in DATABASE.items()},
        )

    def schema_rights(self) -> None:
        """Who may look into a schema and make tables there."""
        now = self._rights("select nspname, nspacl, nspowner, 'n' from pg_namespace")
        for name, schema in SCHEMAS.items():
            wanted = {role_of(duty): schema.usage(duty) for duty in DUTIES}
            wanted[role_of("owner")] = frozenset()  # it is the owner
            self._compare(
                f"schema {name}", "schema", f"schema {name}", now[name], wanted
            )

    def table_rights(self) -> None:
        """What every duty may do with every table and view there is."""
        for name, schema in SCHEMAS.items():
            now = self._rights(
                "select relname, relacl, relowner, 'r' from pg_class"
                f" where relnamespace = to_regnamespace('{name}')"
                " and relkind in ('r', 'p', 'v', 'm')"
            )
            for table in sorted(now):
                rights = {**schema.tables, **schema.only.get(table, {})}
                self._compare(
                    f"tables of {name}",
                    "table",
                    f"{name}.{_quoted(table)}",
                    now[table],
                    {role_of(duty): rights[duty] for duty in rights},
                )

    def sequence_rights(self) -> None:
        """Sequences: whoever may insert may count."""
        for name, schema in SCHEMAS.items():
            now = self._rights(
                "select relname, relacl, relowner, 'S' from pg_class"
                f" where relnamespace = to_regnamespace('{name}') and relkind = 'S'"
            )
            for sequence in sorted(now):
                self._compare(
                    f"sequences of {name}",
                    "sequence",
                    f"sequence {name}.{_quoted(sequence)}",
                    now[sequence],
                    _counting(schema),
                )

    def default_rights(self) -> None:
        """The rights of tables still to come, for everyone who makes tables there."""
        for name, schema in SCHEMAS.items():
            wanted = {role_of(duty): rights for duty, rights in schema.tables.items()}
            makers = {role_of("owner"), role_of(schema.writer)}
            makers |= set(self._members(schema.writer)) | set(self._members("owner"))
            for maker in sorted(makers):
                for kind, objects, rights in (
                    ("r", "tables", wanted),
                    ("S", "sequences", _counting(schema)),
                ):
                    now = self._rights(
                        "select 'default', defaclacl, defaclrole, null"
                        " from pg_default_acl"
                        f" where defaclnamespace = to_regnamespace('{name}')"
                        f" and defaclrole = to_regrole('{maker}')"
                        f" and defaclobjtype = '{kind}'"
                    )
                    self._compare(
                        f"{objects} that {maker} will make in {name}",
                        objects,
                        objects,
                        now.get("default", {}),
                        {r: verbs for r, verbs in rights.items() if r != maker},
                        f"alter default privileges for role {maker} in schema {name} ",
                    )

    def _compare(
        self,
        what: str,
        kind: str,
        thing: str,
        now: Mapping[str, frozenset[str]],
        wanted: Mapping[str, frozenset[str]],
        before: str = "",
    ) -> None:
        """Grant what is missing; revoke what managed roles and PUBLIC have beyond."""
        managed = {role_of(duty) for duty in DUTIES} | {"public"}
        for role in sorted(managed):
            has = now.get(role, frozenset())
            should = wanted.get(role, frozenset())
            for verb, word, rights in (
                ("grant", "to", should - has),
                ("revoke", "from", has - should),
            ):
                if "OWNER" in has or not rights:
                    continue
                listed = ", ".join(sorted(rights)).lower()
                self._do(f"{before}{verb} {listed} on {thing} {word} {role}")
                done = "granted" if verb == "grant" else "revoked"
                self._said(f"{done} {listed} on {what} {word} {role}")

    def _rights(self, sql: str) -> dict[str, dict[str, frozenset[str]]]:
        """Of each object of `sql` (name, acl, owner, kind): role -> its rights.

        The owner's are told by the one right OWNER.
        """
        found: dict[str, dict[str, frozenset[str]]] = {}
        for name, owner, grantee, rights in self._rows(
            "select object.name, pg_get_userbyid(object.owner),"
            " coalesce(pg_get_userbyid(nullif(acl.grantee, 0)), 'public'),"
            " array_agg(distinct acl.privilege_type)"
            f" from ({sql}) as object (name, acl, owner, kind)"
            " left join lateral aclexplode(coalesce(object.acl,"
            '   acldefault(cast(object.kind as "char"), object.owner))) as acl on true'
            " group by 1, 2, 3"
        ):
            of = found.setdefault(name, {})
            of[grantee] = frozenset(right for right in rights if right)
            if sql.find("pg_default_acl") < 0:
                of[owner] = frozenset({"OWNER"})
        return found

    def _join(self, member: str, duty: str) -> None:
        held = self._value(
            "select exists (select 1 from pg_auth_members"
            " where roleid = to_regrole(:role) and member = to_regrole(:member))",
            role=role_of(duty),
            member=member,
        )
        if not held:
            self._do(f"grant {role_of(duty)} to {member}")
            self._said(f"gave {member} the duty {duty}")

    def _members(self, duty: str) -> list[str]:
        """The logins that have a duty directly."""
        return self._column(
            "select m.rolname from pg_auth_members as a"
            " join pg_roles as m on m.oid = a.member"
            " where a.roleid = to_regrole(:role) and m.rolcanlogin"
            " order by m.rolname",
            role=role_of(duty),
        )

    def _settings_of(self, role: str) -> dict[str, str]:
        listed = self._value(
            "select setconfig from pg_db_role_setting"
            " where setrole = to_regrole(:role) and setdatabase = 0",
            role=role,
        )
        pairs = (item.partition("=") for item in listed or ())
        return {name.lower(): value for name, _, value in pairs}

    def _relations(self, schema: str, kind: str) -> list[str]:
        return self._column(
            "select relname from pg_class where relkind = :kind"
            " and relnamespace = to_regnamespace(:schema)",
            kind=kind,
            schema=schema,
        )

    def _rows(self, sql: str, **values: object) -> Iterator[Any]:
        yield from self.connection.execute(text(sql), values).all()

    def _column(self, sql: str, **values: object) -> list[str]:
        return [row[0] for row in self._rows(sql, **values)]

    def _value(self, sql: str, **values: object) -> Any:
        return self.connection.execute(text(sql), values).scalar()

    def _do(self, sql: str) -> None:
        self.connection.exec_driver_sql(sql)

    def _said(self, sentence: str, secret: str | None = None) -> None:
        if sentence not in {change.text for change in self.changes}:
            self.changes.append(Change(sentence, secret))


def _counting(schema: Schema) -> dict[str, frozenset[str]]:
    return {
        role_of(duty): frozenset({"SELECT", "USAGE"})
        for each in (schema.tables, *schema.only.values())
        for duty, rights in each.items()
        if "INSERT" in rights
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
