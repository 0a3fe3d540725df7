"""A team's rows: what is missing, what is another's, what a farewell has to take along. Pure."""

import json

import pytest

from airflow_bindings.onboarding.layer import _decided
from airflow_bindings.onboarding.rows import (
    Found,
    Pool,
    conflicts,
    missing_rows,
    superfluous_rows,
    unfilled,
    wanted,
)
from airflow_bindings.onboarding.settings import processes, settings
from airflow_bindings.onboarding.takeovers import taken_over
from tests.k8s.teams import team

WANT = wanted(team("flights"))
WHOLE = Found(
    team=True,
    listed=True,
    pools={"flights": Pool(slots=32, team="flights")},
    connections={"flights__kubernetes": "flights", "flights__warehouse": "flights"},
)


def test_what_a_new_team_gets() -> None:
    assert list(missing_rows(WANT, Found())) == [
        "team flights", "pool flights: 32 slots", "connection flights__kubernetes",
    ]  # fmt: skip
    assert list(missing_rows(WANT, WHOLE)) == []
    assert json.loads(WANT.made["flights__kubernetes"]) == {"in_cluster": True, "namespace": "flights"}
    (line,) = unfilled(WANT, Found())
    assert line.startswith("connection flights__warehouse is not there: airflow connections add flights__warehouse")


def test_a_pool_of_another_size_is_changed() -> None:
    smaller = WHOLE.model_copy(update={"pools": {"flights": Pool(slots=8, team="flights")}})

    assert list(missing_rows(WANT, smaller)) == ["pool flights: 8 -> 32 slots"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pools": {"flights": Pool(slots=8)}}, "pool flights is everybody's"),
        ({"pools": {"flights": Pool(slots=8, team="insights")}}, "pool flights is of team 'insights'"),
        ({"connections": {"flights__warehouse": None}}, "connection flights__warehouse is everybody's"),
        ({"variables": {"flights__x": "insights"}}, "variable flights__x is of team 'insights'"),
    ],
)
def test_what_bears_the_name_and_is_anothers(changes: dict[str, object], told: str) -> None:
    assert list(conflicts(WANT, WHOLE.model_copy(update=changes))) == [told]


def test_secrets_go_before_the_row_of_the_team() -> None:
    found = WHOLE.model_copy(
        update={"variables": {"flights__x": "flights", "flights__y": None}, "bundles": ("flights",)}
    )

    assert list(superfluous_rows("flights", found)) == [
        "connection flights__kubernetes", "connection flights__warehouse", "variable flights__x", "pool flights",
        "link of bundle flights", "team flights",
    ]  # fmt: skip


def test_an_executor_of_a_team_is_told_where_the_api_is() -> None:
    told = settings(["insights", "flights"], "http://api:8080/execution/")

    assert (
        told["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor;flights=KubernetesExecutor;insights=KubernetesExecutor"
    )
    assert told["AIRFLOW__FLIGHTS___CORE__EXECUTION_API_SERVER_URL"] == "http://api:8080/execution/"
    assert told["AIRFLOW__FLIGHTS___KUBERNETES_EXECUTOR__NAMESPACE"] == "flights-airflow"
    bundles = json.loads(told["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"])
    assert [(one["name"], one["team_name"]) for one in bundles] == [("flights", "flights"), ("insights", "insights")]
    assert settings(["flights", "insights"], "http://api:8080/execution/") == told


def test_author_code_has_a_user_of_its_own() -> None:
    assert [user for user, _ in processes(["insights", "flights"])] == [
        "airflow-flights", "airflow-flights", "airflow-insights", "airflow-insights",
    ]  # fmt: skip


def test_dags_that_another_bundle_has() -> None:
    teams = {"flights-dags": "flights", "insights-dags": "insights", "nobody": None}
    rows = [
        ("flights.daily", "flights-dags"), ("flights.taken", "insights-dags"), ("plain", "nobody"),
        ("insights.daily", "nobody"), ("stray", "flights-dags"),
    ]  # fmt: skip

    told = list(taken_over(rows, teams))

    assert [line.partition(":")[0] for line in told] == ["flights.taken", "insights.daily", "stray"]
    assert 'bundle \'insights-dags\' of team "insights" has it; by its id it is of team "flights"' in told[0]


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        ("connection", "flights__warehouse", True),
        ("connection", "insights__warehouse", False),
        ("connection", "shared", True),
        ("variable", "insights__x", False),
        ("pool", "flights", True),
        ("pool", "default_pool", True),
        ("pool", "insights", False),
        ("dag", "flights.daily", True),
        ("dag", "insights.daily", False),
        ("dag", "flights2.daily", False),
    ],
)
def test_who_may_what_is_explained(kind: str, name: str, allowed: bool) -> None:
    assert _decided("flights", kind, name).allowed is allowed
