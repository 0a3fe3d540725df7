"""The way to a cluster, as a team's connection and the platform's settings say it: what is wrong is told before a run is made."""

from pathlib import Path
from typing import Any

import pytest

from airflow_bindings.launching import Beside, OnCluster, cluster_of, opened, site_of
from airflow_bindings.settings import read_settings
from framework.errors import ConfigError
from tests.airflow_bindings.platform import Platform


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({}, "leads to no cluster"),
        ({"in_cluster": False, "namespace": "flights"}, "extra with in_cluster, namespace"),
        ({"in_cluster": True}, "this is no pod of a cluster"),
        ({"kube_config_path": "/nowhere/config"}, "not a kubeconfig"),
        ({"kube_config": {"clusters": []}}, "not a kubeconfig"),
        ({"kube_config": '{"clusters": []}', "cluster_context": "x"}, "not a kubeconfig"),
    ],
)
def test_a_connection_that_leads_nowhere_is_told(extra: dict[str, Any], told: str, clean_environment: None) -> None:
    with pytest.raises(ConfigError, match=told):
        opened(extra, where="flights__kubernetes")


def test_a_team_without_a_connection_is_told_how_to_get_one(platform: Platform) -> None:
    with pytest.raises(ConfigError, match="teamspark team apply flights --layer airflow"):
        cluster_of("flights")


@pytest.mark.parametrize(("named", "kind"), [(None, Beside), ("local", Beside), ("kubernetes", OnCluster)])
def test_the_setting_says_where_runs_are_started(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, named: str | None, kind: type
) -> None:
    if named is not None:
        monkeypatch.setenv("AIRFLOW__TEAMSPARK__LAUNCHER", named)

    assert isinstance(site_of(read_settings(), "flights"), kind)


def test_an_unknown_launcher_is_told(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__LAUNCHER", "yarn")

    with pytest.raises(ConfigError, match="local or kubernetes"):
        read_settings()


@pytest.mark.parametrize("team", [None, "flights"])
def test_a_trigger_is_what_it_was_serialized_as(platform: Platform, team: str | None, tmp_path: Path) -> None:
    from airflow_bindings.triggers import RunTrigger

    made = RunTrigger(state_dir=str(tmp_path), name="one", poll_s=1.0, due=None, team=team)

    name, facts = made.serialize()

    assert name == "airflow_bindings.triggers.RunTrigger"
    assert RunTrigger(**facts).serialize() == (name, facts)
    assert ("team" in facts) == (team is not None)
