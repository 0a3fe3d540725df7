"""Deliveries to a real PostgreSQL: one transaction, fenced by the attempt, quoted names, and errors without secrets."""

import datetime as dt
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from framework.connections import Connection, Connections
from framework.destinations import postgres
from framework.destinations.deliver import Courier
from framework.destinations.tables import Statements, fence_statement
from framework.errors import ConfigError, SchemaMismatch, SetupError, StoreUnavailable, TeamsparkError
from framework.postgres.client import connected, text_of
from framework.schema.spec import Column, SchemaSpec
from framework.sql import TableName
from framework.storage.memory import MemoryStore
from framework.storage.paths import run_path
from tests.framework.destinations.made import KEY, SPEC, courier, publish, sums
from tests.framework.destinations.victims import victims
from tests.servers.postgres import Login, Postgres

TABLE = "CREATE TABLE sums (name text NOT NULL, total bigint, teamspark_run text NOT NULL)"


def connections(login: Login, **other: Any) -> Connections:
    facts = {"host": login.host, "port": login.port, "database": login.database, "user": login.user}
    one = Connection(**{"kind": "postgres", **facts, "password": login.password, **other})
    return Connections(connections={"warehouse": one})


def entry(table: str = "sums", **more: str) -> dict[str, Any]:
    return {"type": "postgres", "data": {"table": table, "postgres_conn_id": "warehouse", **more}}


def post(store: MemoryStore, place: Path, login: Login, given: Any = None, **other: Any) -> Courier:
    return courier(store, place, given or entry(), connections=connections(login, **other))


def seen(login: Login, table: str = "sums") -> list[str]:
    return [name for (name,) in login.rows(f"SELECT name FROM {table} ORDER BY name")]


def names(version: str, parts: int = 2) -> list[str]:
    return sorted(name for part in sums(version, parts) for name in part["name"])


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_rows_arrive_with_their_run_and_again_is_once(tmp_path: Path, store: MemoryStore, database: Login) -> None:
    database.rows(TABLE)
    published = publish(store, sums("one"))

    (told,) = post(store, tmp_path, database).deliver(published)
    (again,) = post(store, tmp_path, database).deliver(published)

    assert told == "default to table sums of connection 'warehouse': delivered"
    assert again.endswith(": already there")
    assert seen(database) == names("one")
    assert database.rows("SELECT DISTINCT teamspark_run FROM sums") == [(run_path(KEY),)]
    assert database.rows("SELECT target, run, attempt, token, digest, rows FROM teamspark_delivery") == [
        ("public.sums", run_path(KEY), 1, published.manifest.token, published.digest, 6)
    ]


def test_a_newer_attempt_replaces_its_runs_rows_and_no_others(
    tmp_path: Path, store: MemoryStore, database: Login
) -> None:
    database.rows(TABLE)
    other = replace(KEY, run="20130102T000000Z")
    one, two = publish(store, sums("one")), publish(store, sums("two"), try_number=2)
    beside = publish(store, sums("other"), key=other)
    for attempt in (one, beside, two):
        PostgresDelivery(store, tmp_path, database).now(attempt)

    assert seen(database) == sorted(names("two") + names("other"))
    PostgresDelivery(store, tmp_path, database).now(one)
    assert seen(database) == sorted(names("two") + names("other"))


class PostgresDelivery:
    """A destination without the courier, which would not bring an attempt that is not the newest."""

    def __init__(self, store: MemoryStore, place: Path, login: Login) -> None:
        self.store = store
        self.table = postgres.PostgresTable(
            "table sums", TableName.of("sums"), "teamspark_run", connections(login).connections["warehouse"]
        )

    def now(self, published: Any) -> str:
        from tests.framework.destinations.made import delivery

        return self.table.deliver(delivery(self.store, published))


def test_an_older_attempt_that_comes_last_is_stopped(tmp_path: Path, store: MemoryStore, database: Login) -> None:
    database.rows(TABLE)
    one, two = publish(store, sums("one")), publish(store, sums("two"), try_number=2)
    PostgresDelivery(store, tmp_path, database).now(two)

    assert PostgresDelivery(store, tmp_path, database).now(one) == "overtaken"
    assert seen(database) == names("two")


def test_without_the_fence_the_older_one_would_replace_it(
    tmp_path: Path, store: MemoryStore, database: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The witness."""
    database.rows(TABLE)
    one, two = publish(store, sums("one")), publish(store, sums("two"), try_number=2)
    PostgresDelivery(store, tmp_path, database).now(two)
    said = Statements.of(TableName.of("sums"), SPEC.names, "teamspark_run")
    blind = replace(said, lock="SELECT 0, NULL, NULL")
    monkeypatch.setattr(Statements, "of", lambda *_: blind)

    assert PostgresDelivery(store, tmp_path, database).now(one) == "delivered"
    assert seen(database) == names("one")


def at_once(workers: Sequence[Callable[[], object]]) -> list[Exception]:
    """What went wrong when all of ``workers`` began together."""
    began, wrong = threading.Barrier(len(workers)), []

    def work(one: Callable[[], object]) -> None:
        began.wait(60)
        try:
            one()
        except Exception as error:  # each is counted, whatever it is
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return wrong


def test_two_at_once_come_one_after_the_other_and_the_newer_stays(
    tmp_path: Path, store: MemoryStore, database: Login
) -> None:
    database.rows(TABLE)
    tries = [publish(store, sums(str(n)), try_number=n) for n in range(1, 7)]
    workers = [partial(PostgresDelivery(store, tmp_path, database).now, attempt) for attempt in [*tries, *tries]]

    wrong = at_once(workers)

    assert wrong == []
    assert seen(database) == names("6")


def test_all_who_make_the_table_of_deliveries_at_once_go_on(database: Login) -> None:
    """And the witness: PostgreSQL refuses some of those who only say IF NOT EXISTS."""
    table = postgres.PostgresTable(
        "here", TableName.of("sums"), "teamspark_run", connections(database).connections["warehouse"]
    )
    statement = text_of(fence_statement(table.table))
    wrong: list[Exception] = []
    refused: list[Exception] = []
    with ExitStack() as stack:
        several = [stack.enter_context(connected(table.connection, "here")) for _ in range(8)]
        for _ in range(40):
            database.rows("DROP TABLE IF EXISTS teamspark_delivery")
            wrong += at_once([partial(table._make_fence, one) for one in several])
        for one in several:
            one.autocommit = True
        for _ in range(40):
            database.rows("DROP TABLE IF EXISTS teamspark_delivery")
            refused += at_once([partial(one.execute, statement) for one in several])

    assert wrong == []
    assert refused


# Killed in the middle.

KILLED = """
import os, signal, sys
from pathlib import Path
import psycopg
from framework.destinations import postgres
from tests.framework.destinations.test_postgres import bring
place = Path(sys.argv[1])
whole = postgres.rows_of
def rows_of(delivery):
    for number, row in enumerate(whole(delivery)):
        if number == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        yield row
    if kill_at == 6:
        os.kill(os.getpid(), signal.SIGKILL)
postgres.rows_of = rows_of
def dying_at_the_last_commit():
    psycopg.Connection.commit = lambda self, commit=psycopg.Connection.commit: (
        os.kill(os.getpid(), signal.SIGKILL) if place.joinpath("armed").exists() else commit(self))
    register = postgres.PostgresTable._make_fence
    def armed(self, connection):
        register(self, connection)
        place.joinpath("armed").touch()
    postgres.PostgresTable._make_fence = armed
for line in sys.stdin:
    kill_at = int(line)
    if not os.fork():
        if kill_at == 7:
            dying_at_the_last_commit()
        bring(place)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def bring(place: Path) -> None:
    """What a child does: deliver what the directory holds, as the connection file says."""
    from framework.connections import read_connections
    from framework.storage.posix import DirectoryStore
    from framework.storage.publish import RunLog

    store = DirectoryStore(place / "store")
    published = RunLog(store, KEY).newest()
    assert published is not None
    courier(store, place, entry(), connections=read_connections(place / "connections.json")).deliver(published)


def test_killed_anywhere_in_it_nothing_is_seen_and_the_next_try_brings_all(tmp_path: Path, database: Login) -> None:
    from framework.storage.posix import DirectoryStore

    database.rows(TABLE)
    publish(DirectoryStore(tmp_path / "store"), sums("one"))
    secrets = tmp_path / "connections.json"
    secrets.touch(0o600)
    secrets.write_bytes(connections(database).json_bytes())

    with victims(KILLED, tmp_path) as killed_at:
        for kill_at in (0, 3, 6, 7):
            assert killed_at(kill_at) == -signal.SIGKILL
            assert seen(database) == []
        (tmp_path / "armed").unlink()

        assert killed_at(-1) == 0
    assert seen(database) == names("one")


def test_row_by_row_without_a_transaction_half_would_be_seen(database: Login) -> None:
    """The witness."""
    database.rows(TABLE)
    for name in names("one")[:3]:
        database.rows(f"INSERT INTO sums VALUES ('{name}', 1, '{run_path(KEY)}')")

    assert 0 < len(seen(database)) < len(names("one"))


# What the table has to be.


def refused(call: Callable[[], object]) -> TeamsparkError:
    with pytest.raises(TeamsparkError) as stop:
        call()
    return stop.value


def rehearsed(place: Path, login: Login, given: Any = None, spec: SchemaSpec = SPEC, **other: Any) -> TeamsparkError:
    """The error before anything is computed."""
    made = post(MemoryStore(), place, login, given, **other)
    destination = next(made._open(one) for _, one in made._entries())
    try:
        destination.rehearse(spec)
    except TeamsparkError as error:
        return made._named(error, "default", made.config.destinations["default"][0])
    raise AssertionError("it took it")


def test_a_table_that_does_not_fit_is_told_whole_with_one_that_does(tmp_path: Path, database: Login) -> None:
    database.rows("CREATE TABLE sums (name integer, totals bigint, owner text NOT NULL)")

    error = rehearsed(tmp_path, database)

    assert isinstance(error, SchemaMismatch)
    for words in (
        "name: string does not fit into integer",
        "total: no such column",
        "owner: the table demands",
        "teamspark_run: no such",
    ):
        assert words in str(error)
    assert error.next_step is not None
    database.rows("DROP TABLE sums")
    database.rows(error.next_step.partition(": ")[2])
    post(MemoryStore(), tmp_path, database)._open(
        post(MemoryStore(), tmp_path, database).config.destinations["default"][0]
    ).rehearse(SPEC)


def test_a_missing_table_and_a_missing_schema_are_told(tmp_path: Path, database: Login) -> None:
    assert "no such table" in str(rehearsed(tmp_path, database))
    assert "no such table" in str(rehearsed(tmp_path, database, entry("nowhere.sums")))


def test_rights_that_are_missing_are_told_together_and_with_the_fence_s_statement(
    tmp_path: Path, postgres: Postgres, database: Login
) -> None:
    other = postgres.database()
    database.rows(TABLE)
    guest = replace(other, database=database.database)
    database.rows(f"GRANT SELECT, INSERT ON sums TO {other.user}")

    error = rehearsed(tmp_path, guest)

    assert "this user lacks DELETE" in str(error)
    assert "teamspark_delivery" in str(error)
    database.rows(f"GRANT DELETE ON sums TO {other.user}")
    database.rows(fence_statement(TableName.of("sums")))
    database.rows(f"GRANT SELECT, INSERT, UPDATE ON teamspark_delivery TO {other.user}")
    published = publish(store := MemoryStore(), sums("one"))
    assert post(store, tmp_path, guest).deliver(published)[0].endswith(": delivered")


def test_every_type_arrives_as_it_was(tmp_path: Path, store: MemoryStore, database: Login) -> None:
    moment = dt.datetime(2013, 1, 1, 5, 17, 3, 123456, tzinfo=dt.UTC)
    values = {
        "b": ("boolean", pa.bool_(), True, "boolean"),
        "i8": ("byte", pa.int8(), -128, "smallint"),
        "i64": ("long", pa.int64(), 2**63 - 1, "bigint"),
        "f": ("double", pa.float64(), 0.1, "double precision"),
        "nan": ("double", pa.float64(), float("inf"), "double precision"),
        "s": ("string", pa.string(), "\\N \\. \t\n\r\"'é\u2603;--", "text"),
        "empty": ("string", pa.string(), "", "text"),
        "raw": ("binary", pa.binary(), b"\x00\xff", "bytea"),
        "d": ("date", pa.date32(), dt.date(1, 1, 1), "date"),
        "t": ("timestamp", pa.timestamp("us", "UTC"), moment, "timestamptz"),
        "n": ("timestamp_ntz", pa.timestamp("us"), moment.replace(tzinfo=None), "timestamp"),
        "m": ("decimal(20,4)", pa.decimal128(20, 4), Decimal("-1234567890123456.7890"), "numeric(20,4)"),
        "a": ({"type": "array", "elementType": "long", "containsNull": False}, pa.list_(pa.int64()), [1, 2], "jsonb"),
        "none": ("string", pa.string(), None, "text"),
    }  # fmt: skip
    spec = SchemaSpec("All", tuple(Column(name, kind, nullable=True) for name, (kind, *_) in values.items()))  # type: ignore[arg-type] # of several types
    database.rows(f"CREATE TABLE sums ({', '.join(f'{n} {v[3]}' for n, v in values.items())}, teamspark_run text)")
    table = pa.table({name: pa.array([value], kind) for name, (_, kind, value, _) in values.items()})

    post(store, tmp_path, database).deliver(publish(store, [table], spec=spec))

    with database.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        (row,) = connection.execute(f"SELECT {', '.join(values)} FROM sums").fetchall()
    assert list(row) == [value for _, _, value, _ in values.values()]


# Hostile names.

HOSTILE = ('x"; DROP TABLE victim; --', "x'); DROP TABLE victim; --", "%s", "%(run)s", '"', "a b", "sélect", "{fence}")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(tmp_path: Path, store: MemoryStore, database: Login, name: str) -> None:
    def sql(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    database.rows("CREATE TABLE victim (a int)")
    database.rows(f"CREATE SCHEMA {sql(name)}")
    database.rows(f"CREATE TABLE {sql(name)}.{sql(name)} ({sql('c' + name)} bigint, {sql('r' + name)} text)")
    spec = SchemaSpec("Odd", (Column("c" + name, "long", nullable=True),))
    given = entry(f"{name}.{name}", run_column="r" + name)

    for number in (1, 2):
        published = publish(store, [pa.table({"c" + name: [number]})], spec=spec, try_number=number)
        (told,) = post(store, tmp_path, database, given).deliver(published)
        assert told.endswith(": delivered")

    assert database.rows(f"SELECT {sql('c' + name)} FROM {sql(name)}.{sql(name)}") == [(2,)]
    assert database.rows("SELECT count(*) FROM victim") == [(0,)]


def test_pasted_into_a_statement_such_a_name_would_drop_the_table(database: Login) -> None:
    """The witness."""
    database.rows("CREATE TABLE victim (a int)")

    database.rows('SELECT 1 AS "x"; DROP TABLE victim; --"')

    assert database.rows("SELECT to_regclass('victim')") == [(None,)]


# Errors, and what they may not tell.


def test_a_wrong_password_is_told_without_it(tmp_path: Path, database: Login) -> None:
    error = rehearsed(tmp_path, database, password="hunter2-hunter2")

    assert isinstance(error, SetupError)
    assert "password authentication failed" in str(error)
    assert "hunter2" not in str(error)
    assert str(database.port) not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize("password", ["p w' \\ %40@:/?#", "a=b host=evil", "\u2603"])
def test_a_password_is_never_read_as_anything_else(tmp_path: Path, database: Login, password: str) -> None:
    database.rows(TABLE)
    with database.connect() as connection:
        connection.execute(
            psycopg.sql.SQL("ALTER USER {} PASSWORD {}").format(
                psycopg.sql.Identifier(database.user), psycopg.sql.Literal(password)
            )
        )
    published = publish(store := MemoryStore(), sums("one"))

    assert post(store, tmp_path, database, password=password).deliver(published)[0].endswith(": delivered")


def test_a_missing_database_and_an_unknown_user_are_final(tmp_path: Path, database: Login) -> None:
    assert "no such database" in str(rehearsed(tmp_path, database, database="nowhere"))
    assert "does not let this user in" in str(rehearsed(tmp_path, database, user="nobody_here"))


def test_a_server_that_is_away_is_worth_another_try(tmp_path: Path, store: MemoryStore, database: Login) -> None:
    error = refused(lambda: post(store, tmp_path, database, port=9).deliver(publish(store, sums("one"))))

    assert isinstance(error, StoreUnavailable)
    assert "not reached" in str(error)


def test_rows_that_the_table_refuses_are_told_without_their_values(
    tmp_path: Path, store: MemoryStore, database: Login
) -> None:
    database.rows("CREATE TABLE sums (name text CONSTRAINT once UNIQUE, total bigint, teamspark_run text)")
    twice = [{"name": ["secret-value", "secret-value"], "total": [1, 2]}]

    error = refused(lambda: post(store, tmp_path, database).deliver(publish(store, twice)))

    assert isinstance(error, ConfigError)
    assert "once" in str(error)
    assert "secret-value" not in str(error)
    assert seen(database) == []


def test_a_kind_of_connection_that_is_another_is_told(tmp_path: Path, database: Login) -> None:
    error = refused(lambda: rehearsed(tmp_path, database, kind="mysql"))

    assert "is of type mysql" in str(error)


def test_a_store_that_forgot_its_history_is_told_so(tmp_path: Path, database: Login) -> None:
    database.rows(TABLE)
    before, after = MemoryStore(), MemoryStore()
    post(before, tmp_path, database).deliver(publish(before, sums("one")))

    error = refused(lambda: post(after, tmp_path, database).deliver(publish(after, sums("two"))))

    assert "does not know" in str(error)
    assert seen(database) == names("one")
