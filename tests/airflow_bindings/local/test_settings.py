"""The environment that a stack means."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_bindings.local.secrets import Secrets
from airflow_bindings.local.settings import AirflowStack, TeamBundle, connections, environment

SECRETS = Secrets("jwt", "api", "fernet", {})


def stack(**changes: Any) -> AirflowStack:
    bundles = (TeamBundle("flights", Path("/dags/flights")), TeamBundle("insights", Path("/dags/insights")))
    return replace(AirflowStack(Path("/state/a b"), bundles, 12345), **changes)


@pytest.mark.parametrize(
    "name", ["AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "AIRFLOW_CONN_STORE", "AIRFLOW_VAR_X", "AWS_SECRET_ACCESS_KEY"]
)
def test_nothing_of_another_airflow_and_no_key_to_a_store_comes_in(name: str) -> None:
    found = environment(stack(), SECRETS, {name: "other", "PATH": "/bin"})

    assert found.get(name) != "other"
    assert found["PATH"] == "/bin"


def test_everything_follows_the_port() -> None:
    found = environment(stack(port=23456), SECRETS, {})

    assert found["AIRFLOW__API__PORT"] == "23456"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:23456/execution/"
    assert found["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:23456"


def test_a_proxy_of_the_machine_is_not_asked_for_this_machine() -> None:
    found = environment(stack(), SECRETS, {"NO_PROXY": "example.org"})

    assert found["no_proxy"] == "example.org,127.0.0.1,localhost"


def test_every_team_has_its_bundle_and_a_user_that_sees_only_that_team() -> None:
    found = environment(stack(), SECRETS, {})

    bundles = json.loads(found["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert {bundle["name"]: (bundle["team_name"], bundle["kwargs"]["path"]) for bundle in bundles} == {
        "flights": ("flights", "/dags/flights"),
        "insights": ("insights", "/dags/insights"),
    }
    users = found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(",")
    assert users == ["admin:admin", "flights:user:flights", "insights:user:insights"]


def test_connections_are_apart_from_the_environment_of_all() -> None:
    everybody, api_server = environment(stack(), SECRETS, {}), connections(stack())

    assert set(api_server) == {
        "AIRFLOW_CONN__FLIGHTS___FLIGHTS__SPARK",
        "AIRFLOW_CONN__INSIGHTS___INSIGHTS__SPARK",
    }
    assert not set(api_server) & set(everybody)
    assert json.loads(api_server["AIRFLOW_CONN__FLIGHTS___FLIGHTS__SPARK"]) == {
        "conn_type": "spark",
        "host": "local[2]",
    }


def test_extra_variables_cannot_replace_the_stacks_own() -> None:
    extra = {"AIRFLOW__CORE__MULTI_TEAM": "False", "AIRFLOW__TEAMSPARK__WORKSPACE": "/w"}

    found = environment(stack(extra=extra), SECRETS, {})

    assert found["AIRFLOW__CORE__MULTI_TEAM"] == "True"
    assert found["AIRFLOW__TEAMSPARK__WORKSPACE"] == "/w"


def test_secrets_are_not_shown() -> None:
    assert "jwt" not in repr(SECRETS).replace("Secrets", "")
