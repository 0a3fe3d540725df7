"""Spark and a real PostgreSQL. One process with the driver's jar asks everything, and prints what it saw."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from framework.jars.sync import ensure_jars
from tests.servers.postgres import Login, Postgres

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from annotated_types import Ge
from pydantic import AwareDatetime, Field, NaiveDatetime
from framework import Int32, Warn
from framework.connections import Connection
from framework.errors import TeamsparkError
from framework.jars.sync import ensure_jars
from framework.schema.model import Schema, schema_spec
from framework.spark.archive import archive_home
from framework.spark.jdbc import QueryRead, querying, read_query
from framework.spark.rows import rows_of
from framework.spark.session import SessionSettings, open_session
from framework.spark.stores import StoreAccess

asked = json.loads(sys.argv[1])

class Booking(Schema):
    id: int
    who: Annotated[str, Field(alias="Who Booked")]
    fare: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None
    at: AwareDatetime
    local: NaiveDatetime | None
    seats: Annotated[int, Warn(Ge(1))] | None
    note: str = "none"

class Wrong(Schema):
    idd: int
    fare: str
    seats: Int32

class Row(Schema):
    n: int

spec = schema_spec(Booking)
seen = {}
def to(**other):
    return Connection(**{**asked["connection"], **other})
def told(spec, relation, connection=None, partition={}):
    read = QueryRead(relation, connection or to(), partition)
    try:
        rows = read_query(spark, read, spec, port="raw", where="job input 'raw' from source 's'")
        return [rows.report.rows[0], {k: v for k, v in rows.report.violations.items() if v}, sorted(str(r) for r in rows_of(rows.frame))]
    except TeamsparkError as error:
        return [type(error).__name__, str(error)]

fixed = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false",
         "spark.eventLog.dir": "file://" + asked["folder"]}
settings = SessionSettings("child", archive_dir=archive_home(), short_job=True, log=Path(asked["folder"], "jvm.log"),
                           team_conf=fixed, stores=StoreAccess(jars=ensure_jars("postgres")))
table = '"public"."bookings"'
with open_session(settings) as spark:
    seen["table"] = told(spec, table)
    parts = {"partitionColumn": '"id"', "lowerBound": "1", "upperBound": "100", "numPartitions": "4"}
    seen["parts"] = told(spec, table, partition=parts)
    frame = spark.read.format("jdbc")
    seen["query"] = told(schema_spec(Row), "(\\nSELECT count(*) AS n FROM public.bookings WHERE id > 1 -- a remark\\n) AS teamspark_source")
    seen["columns"] = told(schema_spec(Wrong), table)
    seen["missing"] = told(spec, '"public"."nothing"')
    seen["syntax"] = told(spec, "(SELEC 1) AS q")
    seen["changing"] = told(schema_spec(Row), "(\\nDELETE FROM public.bookings RETURNING id AS n\\n) AS q")
    seen["denied"] = told(spec, '"closed"."bookings"')
    seen["password"] = told(spec, table, to(password=asked["wrong"]))
    seen["database"] = told(spec, table, to(database="no/such?user=x"))
    seen["away"] = told(spec, table, to(port=9))
    seen["host"] = told(spec, table, to(host="x/y?socketFactory=evil"))
    seen["kind of rows"] = told(schema_spec(Row), "(SELECT 1/0 AS n) AS q")
    seen["conf"] = sorted(f"{k}={v}" for k, v in spark.sparkContext.getConf().getAll())
    with_options = read_query(spark, QueryRead(table, to(), {}), spec, port="raw", where="w").frame
    seen["plan"] = with_options._jdf.queryExecution().toString()
print(json.dumps(seen))
"""


def ask(login: Login, folder: Path) -> dict[str, Any]:
    facts = {"host": login.host, "port": login.port, "database": login.database, "user": login.user}
    told = {"connection": {"kind": "postgres", **facts, "password": login.password}, "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({**told, "wrong": "hunter2-hunter2"})],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**seen, "stderr": done.stderr}


def test_a_table_is_read_as_declared_and_what_goes_wrong_is_told(
    postgres: Postgres, database: Login, tmp_path: Path
) -> None:
    ensure_jars("postgres")
    other = postgres.database()
    database.rows(
        'CREATE TABLE bookings (id int, "Who Booked" varchar(20) NOT NULL, fare numeric(12,2), at timestamptz, '
        "local timestamp, seats int, extra json)"
    )
    database.rows(
        "INSERT INTO bookings SELECT n, 'w' || n, n + 0.5, '2013-01-01T05:00:00+02', '2013-01-01T05:00:00', n % 50 "
        "FROM generate_series(1, 100) AS n"
    )
    database.rows(f"CREATE SCHEMA closed; REVOKE ALL ON SCHEMA closed FROM {database.user}")
    database.rows("CREATE TABLE bookings2 (a int)")
    other.rows("SELECT 1")

    seen = ask(database, tmp_path)

    rows, warned, found = seen["table"]
    assert (rows, warned, len(found)) == (100, {"raw.seats.ge": 2}, 100)
    assert "'who': 'w7'" in " ".join(found)
    assert "Decimal('7.50')" in " ".join(found)
    assert "datetime.datetime(2013, 1, 1, 3, 0, tzinfo=" in found[0]
    assert "'local': datetime.datetime(2013, 1, 1, 5, 0)" in found[0]
    assert "'note': 'none'" in found[0]
    assert seen["parts"] == seen["table"]
    assert seen["query"] == [1, {}, ["{'n': 99}"]]
    expected = {
        "columns": ("SchemaMismatch", "idd: missing", "fare: got decimal(12,2), expected string"),
        "missing": ("ConfigError", 'relation "public.nothing" does not exist'),
        "syntax": ("ConfigError", "syntax error"),
        "changing": ("ConfigError", "syntax error"),
        "denied": ("SetupError", "may not read that"),
        "password": ("SetupError", "does not let this user in"),
        "database": ("SetupError", "there is no such database"),
        "away": ("StoreUnavailable", "is not reached"),
        "host": ("ConfigError", "not a host"),
        "kind of rows": ("ConfigError", "division by zero"),
    }
    for name, (kind, *words) in expected.items():
        assert seen[name][0] == kind, (name, seen[name])
        for word in words:
            assert word in seen[name][1], (name, seen[name])
        assert "job input 'raw' from source 's'" in seen[name][1]
    assert database.rows("SELECT count(*) FROM bookings") == [(100,)]
    (log,) = (path for path in tmp_path.iterdir() if path.name.startswith("local-"))
    # That it is looked for in the right place: what was read is told there.
    assert "bookings" in log.read_text()
    texts = [log.read_text(), (tmp_path / "jvm.log").read_text(), json.dumps(seen)]
    for secret in (database.password, "hunter2"):
        assert not any(secret in text for text in texts)
