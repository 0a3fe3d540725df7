"""A run from a table to a table, by the driver that a launcher starts: secrets come in a file, go with it, and show nowhere."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from framework.config import DestinationEntry, ExportedConfig, RunFacts, RunResult
from framework.connections import Connection, Connections
from framework.identity import Epoch, RunKey
from framework.jars.sync import ensure_jars
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from tests.servers.postgres import Login

ROOT = Path(__file__).parents[2]
DAY = datetime(2013, 1, 1, tzinfo=UTC)
KEY = RunKey("sales", "sales.daily", "totals", "20130101T000000Z")
JOBS = """
from typing import Annotated

from pyspark.sql import functions as F

from framework import Frame, Job, Schema, Source


class Booking(Schema):
    id: int
    shop: str


class Total(Schema, key=("shop",)):
    shop: str
    bookings: int


class Totals(Job):
    def transform(self, bookings: Annotated[Frame[Booking], Source("bookings")]) -> Frame[Total]:
        return bookings.groupBy("shop").agg(F.count("id").alias("bookings"))
"""
SOURCES = """
bookings:
  kind: jdbc
  connection: warehouse
  query: SELECT id, shop FROM public.bookings WHERE day = {run.date}
  fresh: PT26H
  fresh_query: SELECT max(day) FROM public.bookings
"""


@pytest.fixture
def place(tmp_path: Path, database: Login) -> Path:
    ensure_jars("postgres")
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "jobs/sales").mkdir(parents=True)
    team = {"team": "sales", "owners": ["a@example.org"], "store": {"kind": "directory", "root": "store"}}
    (tmp_path / "k8s/teams/sales.yaml").write_text(json.dumps({**team, "writes": ["reports"]}))
    (tmp_path / "jobs/sales/made.py").write_text(JOBS)
    (tmp_path / "jobs/sales/sources.yaml").write_text(SOURCES)
    database.rows("CREATE TABLE bookings (id bigint, shop text NOT NULL, day date)")
    database.rows(
        "INSERT INTO bookings SELECT n, 'shop ' || n % 3, DATE '2013-01-01' + (n % 2)::int FROM generate_series(1, 60) n"
    )
    return tmp_path


def drive(place: Path, login: Login, *, try_number: int = 1, clear_number: int = 0, **other: Any) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    table = {"table": "reports.totals", "postgres_conn_id": "warehouse"}
    entries = (DestinationEntry(type="postgres", data=table), DestinationEntry(type="path", data={"path": "reports"}))
    config = ExportedConfig(
        key=KEY,
        epoch=Epoch("one", try_number, 1),
        clear_number=clear_number,
        job="jobs.sales.made:Totals",
        run=RunFacts(run_id="r", run_after=DAY, logical_date=DAY, start=DAY, end=DAY.replace(day=2)),
        destinations={"default": entries},
        workspace=str(place),
        short_job=True,
    )
    facts = {"host": login.host, "port": login.port, "database": login.database, "user": login.user}
    one = Connection(kind="postgres", **{**facts, "password": login.password, **other})
    secrets = place / "connections.json"
    secrets.unlink(missing_ok=True)
    secrets.touch(0o600)
    secrets.write_bytes(Connections(connections={"warehouse": one}).json_bytes())
    (place / "config.json").write_bytes(config.json_bytes())
    told = {"--config": "config.json", "--result": "result.json", "--connections": "connections.json"}
    command = [sys.executable, "-m", "framework.driver", *(str(word) for item in told.items() for word in item)]
    done = subprocess.run(
        command,
        cwd=place,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)]),
            "PYSPARK_SUBMIT_ARGS": "--master local[2] pyspark-shell",
        },
        capture_output=True,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def everything(place: Path) -> str:
    """All that the run has left, as text: configuration, result, manifests, event log, deliveries."""
    files = [path for path in place.rglob("*") if path.is_file() and path.suffix not in {".parquet", ".zstd"}]
    texts = [path.read_bytes() for path in files] + [pa.input_stream(str(one), "zstd").read() for one in logs(place)]
    return "\n".join(text.decode(errors="replace") for text in texts)


def logs(place: Path) -> list[Path]:
    """The event logs of all runs, one for each that had a session."""
    return sorted(place.rglob("*.zstd"))


@pytest.mark.e2e
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_a_table_becomes_a_report_and_a_failed_delivery_is_made_good_without_spark(
    place: Path, database: Login
) -> None:
    database.rows("CREATE SCHEMA reports")

    code, said = drive(place, database)

    assert code == 65, said  # told before anything was computed: there is no such table
    assert "no such table" in said
    assert 'CREATE TABLE "reports"."totals"' in said
    assert not list((place / "store").rglob("*.parquet"))

    # It fits when the run begins, and is gone when the delivery does: published, not delivered.
    database.rows(said.partition("a table that does: ")[2].partition("\n")[0])
    database.rows(
        "CREATE FUNCTION reports.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$"
    )
    database.rows("CREATE TRIGGER refuse BEFORE INSERT ON reports.totals EXECUTE FUNCTION reports.refuse()")
    code, said = drive(place, database)

    assert code == 74, said
    assert "the database answers with an error" in said
    log = RunLog(DirectoryStore(place / "store"), KEY)
    published = log.newest()
    assert published is not None
    assert database.rows("SELECT count(*) FROM reports.totals") == [(0,)]
    assert list((place / "reports").rglob("_teamspark.0001.json"))  # each is tried, whatever became of the others

    database.rows("DROP TRIGGER refuse ON reports.totals")
    before = logs(place)
    code, said = drive(place, database, try_number=2)

    assert code == 0, said
    result = RunResult.parse_json((place / "result.json").read_bytes(), where="result")
    assert (result.verdict, result.attempt) == ("resumed", 1)
    assert logs(place) == before  # no session: nothing was computed
    assert result.delivered == (
        "default to table reports.totals of connection 'warehouse': delivered",
        f"default to {place}/reports: already there",
    )
    assert database.rows("SELECT shop, bookings FROM reports.totals ORDER BY shop") == [
        ("shop 0", 10), ("shop 1", 10), ("shop 2", 10)
    ]  # fmt: skip
    (entry,) = published.manifest.inputs
    assert entry.query is not None
    assert (entry.kind, entry.query.connection, entry.rows) == ("source", "warehouse", 30)
    assert entry.query.statement == entry.digest
    assert abs(entry.query.read_at - datetime.now(UTC).timestamp()) < 600
    assert not (place / "connections.json").exists()
    left = everything(place) + said
    assert "warehouse" in left
    assert "public.bookings" in left  # the event log is among what is looked through
    assert database.password not in left


def test_with_a_wrong_password_nothing_is_computed_and_nothing_told(place: Path, database: Login) -> None:
    code, said = drive(place, database, password="hunter2-hunter2")

    assert code == 65
    assert "does not let this user in" in said
    assert "hunter2" not in said + everything(place)
    assert not logs(place)
    assert not (place / "connections.json").exists()


def test_a_file_of_secrets_that_others_may_read_is_refused(place: Path, database: Login) -> None:
    """The witness of the mode: with another one the same file is read."""
    from framework.connections import read_connections
    from framework.errors import ConfigError

    path = place / "some.yaml"
    path.write_text(f"connections: {{warehouse: {{kind: postgres, password: {database.password}}}}}")
    path.chmod(0o640)

    with pytest.raises(ConfigError, match="others may read") as stop:
        read_connections(path)
    assert database.password not in str(stop.value)
    path.chmod(0o600)
    assert read_connections(path).connections["warehouse"].password == database.password
