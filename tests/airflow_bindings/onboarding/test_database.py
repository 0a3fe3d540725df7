"""A team's rows in Airflow's own database: made and taken in one transaction, and nothing of a team becomes everybody's."""

import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy.exc import ArgumentError

from airflow_bindings.onboarding import database
from airflow_bindings.onboarding.layer import AirflowLayer
from airflow_bindings.onboarding.rows import Pool, wanted
from airflow_bindings.onboarding.takeovers import takeovers
from framework.errors import ConfigError, PolicyError
from framework.tenancy.layers import Site
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from tests.airflow_bindings.platform import Platform
from tests.k8s.teams import team


@pytest.fixture
def bakers(platform: Platform) -> str:
    """A team that was applied, with a secret and a variable of its own."""
    from airflow.models.connection import Connection
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    database.onboard(wanted(team("bakers")))
    with create_session() as session:
        session.add(
            Connection(conn_id="bakers__warehouse", conn_type="postgres", password="secret", team_name="bakers")
        )
        session.add(Variable(key="bakers__x", val="1", team_name="bakers"))  # type: ignore[no-untyped-call]  # Airflow's own
    return "bakers"


def everything(name: str) -> dict[str, Any]:
    """All rows with the name, whosever they are."""
    found = database.survey(name)
    return {
        "team": found.team,
        "pools": dict(found.pools),
        "connections": dict(found.connections),
        "variables": dict(found.variables),
    }


def test_applied_twice_it_is_there_once(bakers: str) -> None:
    before = everything(bakers)

    database.onboard(wanted(team(bakers)))

    assert everything(bakers) == before
    assert before["pools"] == {"bakers": Pool(slots=32, team="bakers")}
    assert before["connections"] == {"bakers__kubernetes": "bakers", "bakers__warehouse": "bakers"}
    assert bakers in database.teams()
    database.offboard(bakers)


def test_a_farewell_leaves_no_row_to_anybody(bakers: str) -> None:
    others = everything("flights")

    database.offboard(bakers)

    assert everything(bakers) == {"team": False, "pools": {}, "connections": {}, "variables": {}}
    assert everything("flights") == others
    database.offboard(bakers)  # again: nothing to do, and no error


def test_the_witness_deleting_the_row_alone_gives_the_secret_to_everybody(bakers: str) -> None:
    """What Airflow's foreign keys do, where the database holds them (SQLite is asked to)."""
    from airflow.models.team import Team
    from airflow.utils.session import create_session
    from sqlalchemy import delete, text

    with create_session() as session:
        session.execute(text("PRAGMA foreign_keys = ON"))
        session.execute(delete(Team).where(Team.name == bakers))

    assert everything(bakers)["connections"]["bakers__warehouse"] is None
    with create_session() as session:
        for table, column in (("connection", "conn_id"), ("variable", "key"), ("slot_pool", "pool")):
            session.execute(text(f"DELETE FROM {table} WHERE {column} LIKE 'bakers%'"))
    with create_session() as session:
        # It would stay with the connection, which goes back to the pool, and outside of a transaction only is it heard.
        session.execute(text("PRAGMA foreign_keys = OFF"))
        assert session.scalar(text("PRAGMA foreign_keys")) == 0


def test_killed_half_way_it_has_done_nothing(bakers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import airflow.models.team as module

    before = everything(bakers)
    monkeypatch.setattr(module, "dag_bundle_team_association_table", None)  # the fourth of five statements fails

    with pytest.raises(ArgumentError):
        database.offboard(bakers)

    monkeypatch.undo()
    assert everything(bakers) == before
    database.offboard(bakers)


def in_file(platform: Platform, question: str) -> list[Any]:
    """What another process finds in the database."""
    with closing(sqlite3.connect(platform.home / "airflow.db")) as opened:
        return opened.execute(question).fetchall()


def layer(platform: Platform, *names: str) -> AirflowLayer:
    environ = {**os.environ, "AIRFLOW_HOME": str(platform.home)}
    return AirflowLayer(
        Site(platform.workspace, Teams(platform.workspace, {name: team(name) for name in names}), environ)
    )


def test_the_layer_asks_in_airflows_own_environment(platform: Platform) -> None:
    cooks = layer(platform, "cooks")

    (step,) = cooks.prospect(team("cooks")).steps
    step.do()

    assert step.lines == ("team cooks", "pool cooks: 32 slots", "connection cooks__kubernetes")
    again = cooks.prospect(team("cooks"))
    assert again.steps == ()
    assert any("no DAG bundle of 'cooks' is configured" in line for line in again.remarks)
    assert cooks.present()["cooks"] == "here"
    (gone,) = cooks.farewell("cooks").steps
    gone.do()
    assert "cooks" not in database.teams()


def test_a_team_whose_bundle_runs_is_not_taken_away(platform: Platform) -> None:
    """A DAG processor that finds a bundle of an unknown team ends, for everybody."""
    with pytest.raises(PolicyError, match="still names a DAG bundle"):
        layer(platform, "flights").farewell("flights")
    assert "flights" in database.teams()


def test_what_bears_the_teams_name_and_is_everybodys_stops_it(platform: Platform) -> None:
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.add(Connection(conn_id="squat__warehouse", conn_type="http", host="evil.example.org"))

    assert in_file(platform, "SELECT conn_id FROM connection WHERE conn_id = 'squat__warehouse'")
    with pytest.raises(ConfigError) as told:
        layer(platform, "squat").prospect(team("squat"))

    assert "connection squat__warehouse is everybody's" in str(told.value)
    with create_session() as session:
        session.execute(delete(Connection).where(Connection.conn_id == "squat__warehouse"))


def test_no_airflow_is_told(platform: Platform) -> None:
    alone = AirflowLayer(Site(platform.workspace, load_teams(platform.workspace), {}))

    with pytest.raises(ConfigError, match="there is no Airflow in this environment"):
        alone.present()


def test_a_dag_id_that_was_taken_over_is_found(platform: Platform, name: str) -> None:
    """Whoever is read last has the row; a policy refuses it, so this writes the row as an Airflow without one would."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.add(DagModel(dag_id=f"flights.{name}", bundle_name="insights-dags", fileloc="x"))  # type: ignore[no-untyped-call]  # Airflow's own

    assert in_file(platform, f"SELECT dag_id FROM dag WHERE dag_id = 'flights.{name}'")
    told = [line for line in layer(platform).takeovers() if line.startswith(f"flights.{name}: bundle 'insights-dags'")]
    assert told == [line for line in takeovers() if line.startswith(f"flights.{name}:")] != []
    with create_session() as session:
        session.execute(delete(DagModel).where(DagModel.dag_id == f"flights.{name}"))
