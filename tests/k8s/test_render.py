"""What a team file becomes in a cluster: the same bytes each time, in the team's own namespaces, with no right too many."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from framework.errors import ConfigError
from framework.tenancy.model import Team
from k8s.render.objects import address, as_yaml
from k8s.render.team import cluster_objects, team_objects
from tests.k8s.teams import FLIGHTS, PLATFORM, team

GOLDEN = Path(__file__).parent / "golden"
FILES = {"cluster.yaml": cluster_objects(), "flights.yaml": team_objects(team("flights"), PLATFORM)}


@pytest.mark.parametrize("name", list(FILES))
def test_it_is_what_was_agreed_on(name: str) -> None:
    """After a change that is meant: look at the difference, then ``python -m tests.k8s.test_render`` writes the files anew."""
    assert as_yaml(FILES[name]) == (GOLDEN / name).read_text()


def test_the_same_team_gives_the_same_bytes() -> None:
    turned = dict(reversed(list(FLIGHTS.items())))
    again = Team.parse({**turned, "image": "registry.example.org/flights/jobs:1"}, where="flights.yaml")

    assert as_yaml(team_objects(again, PLATFORM)) == as_yaml(team_objects(team("flights"), PLATFORM))


def test_yaml_is_what_was_rendered() -> None:
    objects = team_objects(team("flights"), PLATFORM)

    assert tuple(yaml.safe_load_all(as_yaml(objects))) == objects


def test_nothing_is_outside_the_teams_own_namespaces() -> None:
    objects = team_objects(team("flights"), PLATFORM)

    for api, kind, namespace, name in map(address, objects):
        assert namespace in {"flights", "flights-airflow"} or (api, kind) == ("v1", "Namespace"), (kind, name)
    assert len(set(map(address, objects))) == len(objects)


def rights(objects: tuple[dict[str, Any], ...]) -> dict[str, set[str]]:
    """``verb resource`` by role."""
    return {
        one["metadata"]["name"]: {
            f"{verb} {resource}" for rule in one["rules"] for resource in rule["resources"] for verb in rule["verbs"]
        }
        for one in objects
        if one["kind"] == "Role"
    }


def test_no_right_too_many() -> None:
    objects = team_objects(team("flights"), PLATFORM)
    found = rights(objects)

    assert not [one for one in objects if one["kind"].startswith("Cluster")]
    assert set(found) == {"launcher", "driver"}
    assert not [right for mine in found.values() for right in mine if "*" in right]
    assert not found["launcher"] & {"get secrets", "list secrets", "watch secrets", "deletecollection pods"}
    assert not [right for right in found["driver"] if "secrets" in right or "create services" in right]
    for one in objects:
        if one["kind"] == "RoleBinding":
            (subject,) = one["subjects"]
            assert subject["namespace"] in {"flights", "flights-airflow"}
            assert one["roleRef"]["kind"] == "Role"


def test_limits_come_before_rights() -> None:
    kinds = [one["kind"] for one in team_objects(team("flights"), PLATFORM)]

    assert kinds[:2] == ["Namespace", "Namespace"]
    assert max(kinds.index(one) for one in ("NetworkPolicy", "TeamLimits", "ResourceQuota")) < kinds.index(
        "RoleBinding"
    )


def test_every_pod_is_cut_off_but_for_what_is_listed() -> None:
    found = [one for one in team_objects(team("flights"), PLATFORM) if one["kind"] == "NetworkPolicy"]

    closed = {one["metadata"]["namespace"] for one in found if one["metadata"]["name"] == "nobody"}
    assert closed == {"flights", "flights-airflow"}
    assert all(one["spec"]["podSelector"] == {} for one in found), "a pod's label would let it choose its rules"
    reached = {
        (one["metadata"]["namespace"], block["ipBlock"]["cidr"])
        for one in found
        for rule in one["spec"].get("egress", ())
        for block in rule["to"]
        if "ipBlock" in block
    }
    assert reached == {
        ("flights", "10.96.0.1/32"),
        ("flights", "10.20.0.0/24"),
        ("flights-airflow", "10.96.0.1/32"),
        ("flights-airflow", "10.30.0.5/32"),
    }


def test_a_team_without_a_cluster_is_told() -> None:
    plain = Team.parse({name: FLIGHTS[name] for name in ("team", "owners", "store")}, where="flights.yaml")

    with pytest.raises(ConfigError, match="this team has no part of a cluster"):
        team_objects(plain, PLATFORM)


def write() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, objects in FILES.items():
        (GOLDEN / name).write_text(as_yaml(objects))


if __name__ == "__main__":
    write()
