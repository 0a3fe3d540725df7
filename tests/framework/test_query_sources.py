"""Sources in a database: declared, bound to the run, fresh by their own answer. Without Spark."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from framework.connections import Connection, Connections
from framework.errors import ConfigError, NotYet, SetupError, TeamsparkError
from framework.identity import RunKey
from framework.job import Run
from framework.sources import Query, QuerySpec, freeze, load_sources
from framework.sources.queries import bound
from framework.tenancy.load import load_teams
from tests.servers.postgres import Login

DAY = datetime(2013, 1, 1, tzinfo=UTC)
RUN = Run(
    RunKey("tester", "tester.daily", "t", "20130101T000000Z"), logical_date=DAY, interval=(DAY, DAY.replace(day=2))
)
TEAM = "team: tester\nowners: [a@example.org]\nstore: {kind: directory, root: data}\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/tester.yaml").write_text(TEAM)
    (tmp_path / "jobs/tester").mkdir(parents=True)
    monkeypatch.setattr("jobs.__path__", [str(tmp_path / "jobs")])
    return tmp_path


def declare(place: Path, line: str) -> None:
    (place / "jobs/tester/sources.yaml").write_text(f"raw: {{kind: jdbc, connection: warehouse, {line}}}")


def connections(login: Login, **other: Any) -> Connections:
    facts = {"host": login.host, "port": login.port, "database": login.database, "user": login.user}
    one = Connection(kind="postgres", **{**facts, "password": login.password, **other})
    return Connections(connections={"warehouse": one})


def frozen(place: Path, given: Connections, run: Run = RUN) -> Query:
    found = freeze("raw", load_teams(place), run, given)
    assert isinstance(found, Query)
    return found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("d = {run.date}", "d = DATE '2013-01-01'"),
        ("t < {run.end}", "t < TIMESTAMPTZ '2013-01-02T00:00:00+00:00'"),
        ("day = {run.date:%Y%m%d}", "day = '20130101'"),
        ("o = {run.date:O''Neil %Y}", "o = 'O''''Neil 2013'"),
        ("j = '{{\"a\": 1}}'", "j = '{\"a\": 1}'"),
    ],
)
def test_the_runs_dates_are_values_never_text(text: str, told: str) -> None:
    assert bound(text, RUN) == told


def test_a_days_end_is_a_moment_in_any_zone() -> None:
    zoned = replace(RUN, interval=(DAY.astimezone(), DAY.replace(day=2).astimezone()))

    assert bound("{run.start}", zoned) == "TIMESTAMPTZ '2013-01-01T00:00:00+00:00'"


def test_a_statement_has_a_digest_that_changes_with_the_day(place: Path, database: Login) -> None:
    declare(place, "query: 'SELECT 1 AS n WHERE DATE ''2013-01-01'' = {run.date}'")
    given = connections(database)

    one, again = frozen(place, given), frozen(place, given)
    other = frozen(place, given, replace(RUN, logical_date=DAY + timedelta(days=1)))

    assert one.digest == again.digest
    assert one.digest != other.digest
    assert database.password not in repr(one)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("table: a, query: b", "either table or query"),
        ("partition: {column: a, lower: 1, upper: 2, number: 4}", "either table or query"),
        ("table: a.b.c", "with one dot"),
        ("table: ''", "expected a name of 1 to 63 bytes"),
        ("query: 'SELECT {run.conf}'", "unknown placeholder {run.conf}"),
        ("table: a, fresh: PT1H", "belong together"),
        ("table: a, partition: {column: a, lower: x, upper: 2, number: 1}", "partition.number"),
        ("table: a, format: csv", "format: unknown key"),
        ("table: a, password: hunter2", "password: unknown key"),
    ],
)
def test_mistakes_in_the_file_are_told(place: Path, line: str, told: str) -> None:
    declare(place, line)

    with pytest.raises(ConfigError) as stop:
        load_sources("tester")
    assert told in str(stop.value)
    assert "hunter2" not in str(stop.value)


def test_an_unknown_kind_names_those_there_are(place: Path) -> None:
    (place / "jobs/tester/sources.yaml").write_text("raw: {kind: ftp, uri: a}")

    with pytest.raises(ConfigError, match="there are files, which is meant where none is said, and jdbc"):
        load_sources("tester")


def test_a_connection_that_was_not_handed_over_says_where_to_put_it(place: Path) -> None:
    declare(place, "table: a")

    with pytest.raises(ConfigError) as stop:
        frozen(place, Connections())
    assert "a connection was not handed over" in str(stop.value)
    assert ".teamspark/connections.yaml" in str(stop.value)
    assert "TEAMSPARK_CONN_WAREHOUSE" in str(stop.value)


FRESH = "table: events, fresh: PT26H, fresh_query: 'SELECT max(at) FROM events WHERE at < {run.end}'"


def test_freshness_is_what_the_database_answers(place: Path, database: Login) -> None:
    declare(place, FRESH)
    database.rows("CREATE TABLE events (at timestamptz)")
    given = connections(database)

    with pytest.raises(NotYet, match="stale"):
        frozen(place, given)
    database.rows("INSERT INTO events VALUES ('2012-12-30T00:00:00Z')")
    with pytest.raises(NotYet, match="2012-12-30"):
        frozen(place, given)
    database.rows("INSERT INTO events VALUES ('2013-01-01T12:00:00Z')")
    assert frozen(place, given).relation == '"public"."events"'


@pytest.mark.parametrize("answer", ["2013-01-01'::date", "2013-01-01 12:00'::timestamp"])
def test_a_date_and_a_moment_without_a_zone_are_utc(place: Path, database: Login, answer: str) -> None:
    declare(place, f'table: a, fresh: P1D, fresh_query: "SELECT \'{answer}"')

    assert frozen(place, connections(database)).source == "raw"


def test_an_answer_that_is_no_moment_is_told(place: Path, database: Login) -> None:
    declare(place, "table: a, fresh: P1D, fresh_query: SELECT 7")

    with pytest.raises(ConfigError, match="fresh_query answers no moment"):
        frozen(place, connections(database))


def test_a_fresh_query_can_change_nothing(place: Path, database: Login) -> None:
    database.rows("CREATE TABLE events (at timestamptz)")
    declare(place, 'table: a, fresh: P1D, fresh_query: "INSERT INTO events VALUES (now()) RETURNING at"')

    with pytest.raises(TeamsparkError):
        frozen(place, connections(database))
    assert database.rows("SELECT count(*) FROM events") == [(0,)]


def test_in_a_transaction_that_may_write_it_would(database: Login) -> None:
    """The witness."""
    database.rows("CREATE TABLE events (at timestamptz)")

    database.rows("INSERT INTO events VALUES (now()) RETURNING at")

    assert database.rows("SELECT count(*) FROM events") == [(1,)]


def test_a_refused_login_is_told_without_secrets(place: Path, database: Login) -> None:
    declare(place, FRESH)

    with pytest.raises(SetupError) as stop:
        frozen(place, connections(database, password="hunter2-hunter2"))
    assert "does not let this user in" in str(stop.value)
    assert "hunter2" not in str(stop.value)
    assert "connection 'warehouse'" in str(stop.value)


HOSTILE = ('x"; DROP TABLE victim; --', "x'); DROP TABLE victim; --", '"', "a b", "sélect")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_table_is_a_name(place: Path, database: Login, name: str) -> None:
    database.rows("CREATE TABLE victim (a int)")
    database.rows('CREATE TABLE "{}" (a int)'.format(name.replace('"', '""')))
    (place / "jobs/tester/sources.yaml").write_text(
        f"raw: {QuerySpec(kind='jdbc', connection='warehouse', table=name).model_dump_json(exclude_none=True)}"
    )

    query = frozen(place, connections(database))

    assert database.rows(f"SELECT count(*) FROM {query.relation}") == [(0,)]
    assert database.rows("SELECT count(*) FROM victim") == [(0,)]


def test_pasted_it_would_drop_another(database: Login) -> None:
    """The witness."""
    database.rows("CREATE TABLE victim (a int)")
    database.rows("CREATE TABLE x (a int)")

    database.rows('SELECT count(*) FROM "x"; DROP TABLE victim; --"')

    assert database.rows("SELECT to_regclass('victim')") == [(None,)]


def test_a_statement_that_changes_something_is_no_relation(place: Path, database: Login) -> None:
    database.rows("CREATE TABLE victim (a int)")
    declare(place, "query: 'DELETE FROM victim RETURNING a'")
    query = frozen(place, connections(database))

    with pytest.raises(psycopg.Error):
        database.rows(f"SELECT * FROM {query.relation}")
