"""Which code a run should find, as its configuration says: where the run has a copy of it, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from airflow_bindings.admission import Admitted
from airflow_bindings.context import TaskRun
from airflow_bindings.edges import TaskSpec
from airflow_bindings.launching import OnCluster
from airflow_bindings.link import LinkedTask
from airflow_bindings.settings import Settings
from airflow_bindings.state import LaunchState
from framework.config import CodeFacts, ExportedConfig, RunFacts
from framework.identity import Epoch, JobName, RunKey
from framework.job.digest import tree_digest
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


def told(workspace: Path, admitted: Admitted) -> CodeFacts:
    """What the pod's driver is told."""
    settings = Settings(
        workspace, workspace, "python", "framework.driver", poll_s=1, pause_s=1, lost_budget=1, short_jobs=True
    )
    state = LaunchState.first().next_launch(KEY, try_number=1, clear_number=0)
    request = OnCluster(replace(settings, launcher="kubernetes"), "flights").request(admitted, state, None)
    return ExportedConfig.parse_json(request.config, where="config").code


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
