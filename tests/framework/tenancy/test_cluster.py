"""What a team may have of a cluster: amounts in one form, parts that fit, and every mistake of them in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.tenancy.model import Team
from framework.tenancy.quantities import cpu_text, memory_text, millis, octets
from framework.tenancy.render import as_yaml
from tests.k8s.teams import FLIGHTS


def parsed(**changes: Any) -> Team:
    return Team.parse({**FLIGHTS, **changes}, where="flights.yaml")


def told(**changes: Any) -> str:
    with pytest.raises(ConfigError) as stop:
        parsed(**changes)
    return "\n".join(stop.value.details)


@pytest.mark.parametrize(
    ("text", "thousandths"), [("2", 2000), ("0.5", 500), ("500m", 500), ("1.25", 1250), ("0.001", 1), ("1000m", 1000)]
)
def test_cores(text: str, thousandths: int) -> None:
    assert millis(text) == thousandths
    assert millis(cpu_text(thousandths)) == thousandths


@given(st.integers(1, 999_999))
def test_an_amount_of_cores_has_one_form(thousandths: int) -> None:
    assert millis(cpu_text(thousandths)) == thousandths
    assert cpu_text(millis(cpu_text(thousandths))) == cpu_text(thousandths)


@given(st.integers(1, 99_999), st.sampled_from(["Ki", "Mi", "Gi", "Ti"]))
def test_an_amount_of_memory_has_one_form(number: int, unit: str) -> None:
    count = octets(f"{number}{unit}")
    assert octets(memory_text(count)) == count


@pytest.mark.parametrize("cpu", ["", "0", "-1", "1e3", "2 ", "two", "1.5m", "0.0001", True, None, [], 0])
def test_what_is_no_number_of_cores(cpu: Any) -> None:
    assert "quota.cpu: expected cores" in told(quota={**FLIGHTS["quota"], "cpu": cpu})


@pytest.mark.parametrize("memory", ["", "0Gi", "4G", "4", 4, "4gi", "-4Gi", "4 Gi", "1.5Gi", None])
def test_what_is_no_memory(memory: Any) -> None:
    assert "quota.memory: expected a whole number and Ki" in told(quota={**FLIGHTS["quota"], "memory": memory})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quota": {"cpu": 1, "memory": "64Gi", "pods": 40}}, "limits: a driver and 1 executor(s) of that size are more"),
        ({"quota": {"cpu": 16, "memory": "4Gi", "pods": 40}}, "limits: a driver and 1 executor(s)"),
        ({"quota": {"cpu": 16, "memory": "64Gi", "pods": 4}}, "sizes.M: a driver and 4 executor(s)"),
        ({"quota": {"cpu": 16, "memory": "64Gi", "pods": 1}}, "quota.pods"),
        ({"quota": None}, "quota: missing; quota, limits and images belong together"),
        ({"images": []}, "images: missing"),
        ({"quota": None, "limits": None, "images": []}, "image and sizes are for a team that has quota"),
        ({"sizes": {"XL": {"executors": 11}}}, "sizes.XL: 11 executors, of at most 10"),
        ({"sizes": {"L": {"executors": 1, "driver": {"cpu": 3, "memory": "1Gi"}}}}, "sizes.L.driver: more than limits.driver"),
        ({"sizes": {"small": {"executors": 1}}}, "sizes.small"),
        ({"images": ["*"]}, "images.0: expected registry.host/path/*"),
        ({"images": ["registry.example.org/*/jobs"]}, "images.0: expected"),
        ({"images": ["registry.example.org/fl*"]}, "images.0: expected"),
        ({"image": "registry.example.org/flights/jobs"}, "image: expected a tag other than latest"),
        ({"image": "registry.example.org/flights/jobs:latest"}, "image: expected a tag other than latest"),
        ({"image": "registry.example.org/flights2/jobs:1"}, "is below none of images"),
        ({"image": "registry.example.org/flights/../other/jobs:1"}, "image: expected registry.host"),
        ({"image": "registry.example.org/flights/jobs@sha256:12"}, "image: expected registry.host"),
        ({"airflow": {"pool_slots": 0}}, "airflow.pool_slots"),
        ({"airflow": {"connections": ["a b"]}}, "airflow.connections.0"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_told(changes: dict[str, Any], words: str) -> None:
    assert words in told(**changes)


def test_all_of_them_at_once() -> None:
    found = told(quota={"cpu": "x", "memory": "y", "pods": 1}, image="nginx")

    assert all(f"{name}: " in found for name in ("quota.cpu", "quota.memory", "quota.pods", "image"))


def test_a_team_that_has_no_cluster_says_nothing_of_one() -> None:
    plain = Team.parse({name: FLIGHTS[name] for name in ("team", "owners", "store")}, where="flights.yaml")

    assert plain.quota is None
    assert list(as_yaml(plain).splitlines())[:2] == ["team: flights", "owners:"]
    assert "quota" not in as_yaml(plain)


def test_a_digest_names_an_image() -> None:
    assert parsed(image=f"registry.example.org/flights/jobs@sha256:{'0' * 64}").image
