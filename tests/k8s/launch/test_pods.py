"""The objects of a launch: what admission says of them, what they hold, and what is refused before anything is made."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, CONNECTIONS, RESULT, LaunchRequest, Resources, Share
from framework.tenancy.cluster import Limits
from k8s.launch.naming import executor_prefix, identity_of, run_label
from k8s.launch.parts import FILES, MESSAGE, SECRETS
from k8s.launch.pods import executor_template, launch_of, owned
from k8s.launch.sizes import resources_of
from k8s.launch.sparkconf import cores, heap_mib, platform_settings
from k8s.render.admission import parameters
from k8s.render.amounts import defaults_of
from k8s.standing import Identity
from k8s.tenant.admitting import Asked, refusals
from tests.k8s.teams import PLATFORM, team

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
IDENTITY = Identity("arn:aws:iam::role/teamspark-flights", PLATFORM.audience, {"AWS_REGION": "us-east-1"})
COMMAND = ("driver", "--config", CONFIG, "--result", RESULT, "--connections", CONNECTIONS)
RESOURCES = Resources("registry.example.org/flights/jobs:1", Share("2", "4Gi"), Share("4", "8Gi"), 3)


def request(**changes: Any) -> LaunchRequest:
    made = LaunchRequest(
        "flights-abc-1", KEY, Epoch("1f" * 8, 1, 1), 2, COMMAND, b'{"a": 1}', connections=b'{"secret": "hush"}',
        resources=RESOURCES, files={"teams/flights.yaml": "team: flights\n"},
    )  # fmt: skip
    return replace(made, **changes)


def limits(pod: dict[str, Any], user: str) -> Asked:
    flights = team("flights")
    assert isinstance(flights.limits, Limits)
    (spec, _) = [one["spec"] for one in parameters(flights, PLATFORM, flights.limits)]
    return Asked(pod, user, spec, defaults_of(flights.limits))


@pytest.mark.parametrize("identity", [None, IDENTITY], ids=["no identity", "identity"])
def test_admission_has_nothing_against_a_driver_or_an_executor(identity: Identity | None) -> None:
    driver = launch_of(request(), identity).pod
    executor = executor_template(request(), identity)
    # As Spark fills it in.
    executor["spec"]["serviceAccountName"] = "executor"
    executor["spec"]["containers"][0] |= {
        "image": RESOURCES.image,
        "resources": {"limits": {"cpu": "4", "memory": "8Gi"}},
    }
    executor["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": "flights-abc-1", "uid": "u"}]

    assert refusals(limits(driver, "system:serviceaccount:flights-airflow:launcher")) == ()
    assert refusals(limits(executor, "system:serviceaccount:flights:driver")) == ()


def test_a_driver_finds_what_it_is_told_where_its_command_says() -> None:
    launch = launch_of(request())
    spec = launch.pod["spec"]
    (container,) = spec["containers"]

    assert container["args"] == [
        "driver", "--config", f"{FILES}/config.json", "--result", MESSAGE, "--connections", f"{SECRETS}/connections.json",
    ]  # fmt: skip
    files = next(one for one in spec["volumes"] if one["name"] == "files")["configMap"]["items"]
    found = {one["path"]: launch.config["data"][one["key"]] for one in files}
    assert found["config.json"] == '{"a": 1}'
    assert found["teams/flights.yaml"] == "team: flights\n"
    assert identity_of(launch.pod) == (KEY, Epoch("1f" * 8, 1, 1), 2)


def test_a_secret_is_in_the_secret_only_and_all_is_owned_by_the_pod() -> None:
    launch = launch_of(request())
    assert launch.secret is not None
    pod = {**launch.pod, "metadata": {**launch.pod["metadata"], "uid": "u1"}}

    assert "hush" in json.dumps(launch.secret)
    assert "hush" not in json.dumps([launch.pod, launch.config])
    for one in (launch.config, launch.secret):
        (owner,) = owned(one, pod)["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", "flights-abc-1", "u1")


def test_an_identity_is_a_token_for_the_store_and_no_key() -> None:
    pod = launch_of(request(), IDENTITY).pod
    (token,) = [one for one in pod["spec"]["volumes"] if "projected" in one]

    assert token["projected"]["sources"][0]["serviceAccountToken"]["audience"] == PLATFORM.audience
    names = [one["name"] for one in pod["spec"]["containers"][0]["env"]]
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in names
    assert [name for name in names if "KEY" in name] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resources": None}, "an image and a size"),
        ({"config": b"x" * 1_100_000}, "larger than Kubernetes takes"),
        ({"files": {"teams/flights.yaml": "x" * 1_100_000}}, "larger than Kubernetes takes"),
    ],
)
def test_what_no_cluster_can_take_is_refused_before_anything_is_made(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        launch_of(request(**changes))


def test_executors_are_sparks_pods_of_the_teams_size() -> None:
    told = platform_settings("flights-abc-1", "flights", RESOURCES, FILES)

    assert told["spark.master"].startswith("k8s://")
    assert (told["spark.executor.instances"], told["spark.executor.cores"]) == ("3", "4")
    assert told["spark.kubernetes.namespace"] == "flights"
    assert told["spark.kubernetes.authenticate.executor.serviceAccountName"] == "executor"
    heap, beside = (int(told[f"spark.executor.{name}"].removesuffix("m")) for name in ("memory", "memoryOverhead"))
    assert heap + beside == 8 * 1024


@given(st.integers(512, 2**20))
def test_a_heap_leaves_what_a_jvm_needs_beside_it(mib: int) -> None:
    heap = heap_mib(Share("1", f"{mib}Mi"))

    assert 0 < heap <= mib - 384
    assert heap <= mib / 1.4


@pytest.mark.parametrize(("cpu", "tasks"), [("200m", 1), ("1", 1), ("1500m", 1), ("4", 4)])
def test_tasks_are_whole_cores(cpu: str, tasks: int) -> None:
    assert cores(Share(cpu, "1Gi")) == tasks


@given(st.text(st.characters(codec="ascii", categories=("Ll", "Nd"), include_characters="-"), min_size=1, max_size=63))
def test_names_of_executors_fit_a_label(name: str) -> None:
    prefix = executor_prefix(name)

    assert len(f"{prefix}-exec-4294967295") <= 64
    assert len(run_label(replace(KEY, task_id=name))) <= 63


def test_two_long_names_have_two_prefixes() -> None:
    assert executor_prefix("x" * 60 + "-1") != executor_prefix("x" * 60 + "-2")


def test_sizes_come_from_the_team_file() -> None:
    flights = team("flights")

    assert resources_of(flights).executors == 1
    medium = resources_of(flights, "M")
    assert (medium.executors, medium.executor, medium.driver) == (4, Share("2", "4Gi"), Share("2", "4Gi"))


@pytest.mark.parametrize(
    ("size", "changes", "told"),
    [
        ("XL", {}, "size XL"),
        (None, {"image": None}, "image: missing"),
        (None, {"quota": None, "limits": None, "images": [], "image": None, "sizes": {}}, "limits: missing"),
    ],
)
def test_what_a_team_file_lacks_is_told_at_once(size: str | None, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        resources_of(team("flights", **changes), size)


def test_a_foreign_image_is_refused() -> None:
    with pytest.raises(ConfigError, match="below none of images"):
        resources_of(team("flights"), image="registry.example.org/insights/jobs:1")
