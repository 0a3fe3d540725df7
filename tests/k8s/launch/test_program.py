"""The pod of another image: what admission says of it, who holds what, and what its ends mean."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from framework.container.layout import DONE, POD
from framework.diagnosis import Reason
from framework.launch.base import CONFIG, CONNECTIONS, RESULT, LaunchRequest, Phase, Program, Status
from k8s.launch.needs import Needs, actual
from k8s.launch.pods import launch_of
from k8s.launch.program import PREPARE, PROGRAM, PUBLISH, steps_of
from k8s.launch.reading import Patience, status_of
from k8s.standing import Mounted, Standing
from k8s.tenant.admitting import refusals
from tests.k8s.launch.test_pods import IDENTITY, RESOURCES, limits, request

IMAGE = "registry.example.org/flights/score:2.3.1"
STEPS = ("python3", "-m", "framework.container")
FILES = ("--config", CONFIG, "--result", RESULT, "--connections", CONNECTIONS)
WHOLE = replace(RESOURCES, executors=0)
BORN = datetime(2026, 11, 1, tzinfo=UTC)
MOUNTED = Mounted("store", "/srv/flights", 4711, 4712)


def asked(*, uris: bool = False, **changes: Any) -> LaunchRequest:
    env = POD.variables(["features"], ["default"])
    program = Program(IMAGE, (*STEPS, "prepare", *FILES), (*STEPS, "publish", *FILES), env, opens_uris=uris)
    return request(program=program, resources=WHOLE, command=(), **changes)


def step(pod: dict[str, Any], name: str) -> dict[str, Any]:
    spec = pod["spec"]
    (found,) = [one for one in (*spec["initContainers"], *spec["containers"]) if one["name"] == name]
    return dict(found)


def mounted(pod: dict[str, Any], name: str) -> set[str]:
    return {one["name"] for one in step(pod, name)["volumeMounts"]}


@pytest.mark.parametrize("standing", [None, IDENTITY, MOUNTED], ids=["none", "identity", "mounted"])
@pytest.mark.parametrize("uris", [False, True])
def test_admission_has_nothing_against_it(standing: Standing, uris: bool) -> None:
    pod = launch_of(asked(uris=uris), standing).pod
    asker = limits(pod, "system:serviceaccount:flights-airflow:launcher")

    assert refusals(replace(asker, limits={**asker.limits, "claims": ["store"]})) == ()


def test_the_steps_are_in_order_and_the_programs_image_is_as_it_is() -> None:
    pod = launch_of(asked(), IDENTITY).pod

    assert steps_of(pod) == (PREPARE, PROGRAM, PUBLISH)
    program = step(pod, PROGRAM)
    assert program["image"] == IMAGE
    assert "args" not in program
    assert "command" not in program
    assert {one["name"]: one["value"] for one in program["env"]} == {
        "TEAMSPARK_CONFIG": "/teamspark/config.json",
        "TEAMSPARK_INPUT_FEATURES": "/teamspark/in/features",
        "TEAMSPARK_OUTPUT_DEFAULT": "/teamspark/out/default",
    }


def test_a_program_holds_neither_secret_nor_token_nor_the_steps_own_folder() -> None:
    pod = launch_of(asked(), IDENTITY).pod

    assert pod["spec"]["automountServiceAccountToken"] is False
    assert mounted(pod, PROGRAM) == {"work", "scratch"}
    assert mounted(pod, PREPARE) == {"work", "scratch", "state", "files", "connections", "identity"}
    assert not [one for one in step(pod, PROGRAM)["env"] if one["name"].startswith("AWS_")]
    assert "hush" not in json.dumps(pod)


def test_a_program_that_opens_uris_holds_the_stores_token_and_no_more() -> None:
    pod = launch_of(asked(uris=True), IDENTITY).pod

    assert mounted(pod, PROGRAM) == {"work", "scratch", "identity"}
    assert "AWS_WEB_IDENTITY_TOKEN_FILE" in {one["name"] for one in step(pod, PROGRAM)["env"]}


def test_on_a_file_system_a_program_reads_the_teams_volume_and_is_its_user() -> None:
    pod = launch_of(asked(), MOUNTED).pod
    (store,) = [one for one in step(pod, PROGRAM)["volumeMounts"] if one["name"] == "store"]

    assert store == {"name": "store", "mountPath": "/srv/flights", "readOnly": True}
    assert (pod["spec"]["securityContext"]["runAsUser"], pod["spec"]["securityContext"]["runAsGroup"]) == (4711, 4712)


def test_elsewhere_a_program_is_the_user_of_its_image_and_never_root() -> None:
    pod = launch_of(asked(), IDENTITY).pod

    assert "runAsUser" not in pod["spec"]["securityContext"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in step(pod, PROGRAM)["securityContext"]
    assert step(pod, PREPARE)["securityContext"]["runAsUser"] == 185


def test_the_steps_take_turns_so_the_pod_needs_what_one_of_them_does() -> None:
    pod = launch_of(asked(), IDENTITY).pod

    assert actual(pod) == Needs.of(WHOLE) == Needs(2000, 4 * 2**30, 1)


def test_what_only_spark_needs_is_not_there() -> None:
    launch = launch_of(asked(), IDENTITY)

    assert sorted(launch.config["data"]) == ["config.json", "teams..flights.yaml"]


def pod_with(phase: str, *states: dict[str, Any], standing: Standing = IDENTITY) -> dict[str, Any]:
    """A pod whose steps are in these states, in order."""
    pod = launch_of(asked(), standing).pod
    told = [
        {"name": name, "image": IMAGE, "imageID": "", "state": state}
        for name, state in zip(steps_of(pod), states, strict=False)
    ]
    pod["metadata"]["creationTimestamp"] = "2026-11-01T00:00:00Z"
    pod["status"] = {"phase": phase, "initContainerStatuses": told[:2], "containerStatuses": told[2:]}
    return pod


def over(code: int, **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "finishedAt": "2026-11-01T00:01:00Z", **more}}


def held(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def read(pod: dict[str, Any], *, after_s: float = 5) -> Status:
    found = status_of(pod, Patience(pending_s=60), now=BORN + timedelta(seconds=after_s))
    assert found is not None
    return found


INIT = held("PodInitializing")
ENDS = [
    (pod_with("Succeeded", over(0), over(0), over(0, message="r")), Phase.SUCCEEDED, 0, None),
    (pod_with("Failed", over(DONE, message="r"), INIT, INIT), Phase.SUCCEEDED, 0, None),
    (pod_with("Failed", over(75, message="r"), INIT, INIT), Phase.FAILED, 75, None),
    (pod_with("Failed", over(0), over(3), INIT), Phase.FAILED, 3, Reason.PROGRAM),
    (pod_with("Failed", over(0), over(DONE), INIT), Phase.FAILED, DONE, Reason.PROGRAM),
    (pod_with("Failed", over(0), over(137, reason="OOMKilled"), INIT), Phase.FAILED, 137, Reason.MEMORY),
    (pod_with("Failed", over(0), over(0), over(65, message="r")), Phase.FAILED, 65, None),
    (pod_with("Pending", {"running": {}}, INIT, INIT), Phase.RUNNING, None, None),
    (pod_with("Pending", over(0), {"running": {}}, INIT), Phase.RUNNING, None, None),
    (pod_with("Pending", over(0), held("CreateContainerError", "no command specified"), INIT), Phase.FAILED, None, Reason.CONTAINER),
    (
        pod_with("Pending", over(0), held("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), INIT),
        Phase.FAILED, None, Reason.ROOT,
    ),
    (pod_with("Pending", over(0), held("ImagePullBackOff", "not found"), INIT), Phase.RUNNING, None, Reason.IMAGE),
]  # fmt: skip


@pytest.mark.parametrize(("pod", "phase", "code", "reason"), ENDS)
def test_what_its_ends_mean(pod: dict[str, Any], phase: Phase, code: int | None, reason: Reason | None) -> None:
    found = read(pod)

    assert (found.phase, found.exit_code, found.reason) == (phase, code, reason)


def test_a_result_is_ours_never_the_programs() -> None:
    assert read(pod_with("Failed", over(0), over(1, message='{"verdict": "published"}'), INIT)).result is None
    assert read(pod_with("Failed", over(DONE, message="done"), INIT, INIT)).result == b"done"
    assert read(pod_with("Succeeded", over(0), over(0, message="mine"), over(0, message="ours"))).result == b"ours"


def test_a_long_preparation_is_no_reason_to_give_up() -> None:
    late = pod_with("Pending", over(0), held("ImagePullBackOff", "not found"), INIT)

    assert read(late, after_s=119).phase is Phase.RUNNING
    assert read(late, after_s=121).phase is Phase.FAILED


def test_a_digest_is_the_programs() -> None:
    pod = pod_with("Pending", over(0), {"running": {}}, INIT)
    digest = "sha256:" + "a" * 64
    pod["status"]["initContainerStatuses"][1]["imageID"] = f"registry.example.org/flights/score@{digest}"

    assert read(pod).image == f"registry.example.org/flights/score@{digest}"
