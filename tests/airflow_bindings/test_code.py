"""Which code a run should find, as its configuration says: where the run has a copy of it, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_bindings.admission import Admitted
from airflow_bindings.context import TaskRun
from airflow_bindings.edges import ProgramSpec, TaskSpec
from airflow_bindings.launching import OnCluster
from airflow_bindings.link import LinkedTask
from airflow_bindings.settings import Settings
from airflow_bindings.state import LaunchState
from framework.config import CodeFacts, ContainerFacts, ExportedConfig, RunFacts
from framework.errors import ConfigError
from framework.identity import Epoch, JobName, RunKey
from framework.job.digest import tree_digest
from framework.launch.base import LaunchRequest
from framework.tenancy.render import as_yaml
from tests.k8s.teams import PLATFORM, team

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
IMAGE = "registry.example.org/flights/jobs:1"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(as_yaml(team("flights", image=IMAGE)))
    (tmp_path / "k8s/platform.yaml").write_text(yaml.safe_dump(PLATFORM.model_dump(mode="json", exclude_none=True)))
    return tmp_path


@pytest.fixture
def admitted() -> Admitted:
    facts = RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC))
    spec = TaskSpec(JobName.parse("jobs.flights.delays:Delays"))
    told = ExportedConfig(key=KEY, epoch=Epoch("", 0, 0), job=str(spec.job), run=facts, workspace="/")
    return Admitted(TaskRun(KEY, facts, 1, 0), LinkedTask(spec, KEY.task, {}), told)


STATE = LaunchState.first().next_launch(KEY, try_number=1, clear_number=0)


def told(workspace: Path, admitted: Admitted, state: LaunchState = STATE) -> CodeFacts:
    """What the pod's driver is told."""
    request = requested(workspace, admitted, state)
    code = ExportedConfig.parse_json(request.config, where="config").code
    assert request.resources is not None
    assert code.image == request.resources.image
    return code


def requested(workspace: Path, admitted: Admitted, state: LaunchState) -> LaunchRequest:
    settings = Settings(
        workspace, workspace, "python", "framework.driver", poll_s=1, pause_s=1, lost_budget=1, short_jobs=True
    )
    return OnCluster(replace(settings, launcher="kubernetes"), "flights").request(admitted, state, None)


def test_a_pod_is_told_its_image_and_the_digest_of_the_jobs_as_they_are(workspace: Path, admitted: Admitted) -> None:
    jobs = workspace / "jobs/flights"
    jobs.mkdir(parents=True)
    (jobs / "delays.py").write_text("one")
    first = told(workspace, admitted)
    (jobs / "delays.py").write_text("two")
    second = told(workspace, admitted)

    assert first.image == second.image == IMAGE
    assert first.digest != second.digest == tree_digest(workspace / "jobs", "flights")


def test_a_worker_with_dag_files_only_knows_no_digest(workspace: Path, admitted: Admitted) -> None:
    assert told(workspace, admitted) == CodeFacts(image=IMAGE, digest=None)


def test_a_run_beside_the_worker_has_the_worker_s_own_code(admitted: Admitted) -> None:
    config = ExportedConfig.parse_json(admitted.config(Epoch("a", 1, 1)), where="config")

    assert config.code == CodeFacts()


def asking(admitted: Admitted, **wish: Any) -> Admitted:
    """The same task with arguments of its own."""
    return replace(admitted, linked=replace(admitted.linked, spec=replace(admitted.linked.spec, **wish)))


def test_a_task_may_name_an_image_or_a_tag_below_the_teams_images(workspace: Path, admitted: Admitted) -> None:
    tools = "registry.example.org/flights/tools"

    assert told(workspace, asking(admitted, tag="2")).image == "registry.example.org/flights/jobs:2"
    assert told(workspace, asking(admitted, image=tools, tag="2")).image == f"{tools}:2"
    assert told(workspace, asking(admitted, image=f"{tools}:3")).image == f"{tools}:3"
    with pytest.raises(ConfigError, match="below none of images"):
        told(workspace, asking(admitted, image="registry.example.org/insights/jobs:1"))


def test_a_retry_runs_what_the_first_try_ran_whatever_is_named_by_now(workspace: Path, admitted: Admitted) -> None:
    pinned = f"registry.example.org/flights/jobs@sha256:{'ab' * 32}"

    assert told(workspace, asking(admitted, tag="2"), replace(STATE, image=pinned)).image == pinned


def test_a_retry_runs_the_program_of_the_first_try_between_steps_of_the_teams_image(
    workspace: Path, admitted: Admitted
) -> None:
    named, pinned = "registry.example.org/flights/tool:1", f"registry.example.org/flights/tool@sha256:{'ab' * 32}"
    spec = TaskSpec(None, program=ProgramSpec(named))
    config = admitted.told.model_copy(update={"job": named, "container": ContainerFacts(image=named)})
    program = Admitted(admitted.run, LinkedTask(spec, KEY.task, {}), config)

    requests = [requested(workspace, program, state) for state in (STATE, replace(STATE, image=pinned))]

    assert [one.program.image if one.program else None for one in requests] == [named, pinned]
    assert [one.resources.image if one.resources else None for one in requests] == [IMAGE, IMAGE]
