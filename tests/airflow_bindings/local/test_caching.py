"""A cache before the stores of a local Airflow: what is asked for together, what is printed, and what the table shows."""

from dataclasses import replace
from pathlib import Path

import pytest

from airflow_bindings.local.facts import TaskFacts
from airflow_bindings.local.telling import tell_outputs
from airflow_bindings.local.workspace import Ground, Premises, premises
from framework.errors import ConfigError
from framework.identity import RunKey
from framework.servers.sites import Site, opened
from framework.storage.memory import MemoryStore
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.places import CacheKind, StoreKind
from framework.world import World
from tests.framework.servers.test_sites import teams

__all__ = ["teams"]

ROW = TaskFacts(RunKey("flights", "flights.daily", "ingest", "20130101T000000Z"), 1, 842, 842, 2048, 7.5)


def test_a_cache_is_asked_for_with_a_store(teams: Teams) -> None:
    with (
        pytest.raises(ConfigError, match="a cache needs a store") as caught,
        premises(teams.workspace, teams, Ground(cache=CacheKind.alluxio), print),
    ):
        pass

    assert "--store directory" in str(caught.value)
    # The witness: without a cache the team files' own stores will do.
    with premises(teams.workspace, teams, Ground(), print) as place:
        assert place.site is None


def test_what_is_printed_asks_for_the_same(teams: Teams) -> None:
    site = Site(StoreKind.efs, Path("teams"))

    assert Premises(Path(), teams, site, CacheKind.alluxio).option == " --store efs --cache alluxio"
    assert Premises(Path(), teams, site).option == " --store efs"


def test_team_files_without_a_cache_stay_as_they_are(teams: Teams) -> None:
    with opened(StoreKind.directory, teams.workspace, teams) as site:
        with_none = load_teams(teams.workspace, site.team_files)

    assert [team.cache for team in with_none.by_name.values()] == [None, None]


def test_the_table_says_what_was_hot_where_there_was_a_cache(capsys: pytest.CaptureFixture[str]) -> None:
    world = World(Teams(Path(), {}), lambda _: MemoryStore())

    tell_outputs([replace(ROW, hot=1024, cold=0)], world)
    cached = capsys.readouterr().out
    tell_outputs([ROW], world)
    plain = capsys.readouterr().out

    assert cached.split() != plain.split()
    assert "hot" in cached.splitlines()[1].split()
    assert "1.0 KiB" in cached
    assert "hot" not in plain.splitlines()[1].split()
