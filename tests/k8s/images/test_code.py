"""A team's image on a real node, told what code its task was started with: the same, and another."""

import time
from datetime import UTC, datetime

import pytest

from framework.config import CodeFacts, EdgeRef, ExportedConfig, RunFacts, RunResult
from framework.identity import Epoch, RunKey
from framework.job.digest import tree_digest
from framework.launch.base import CONFIG, RESULT, UNFINISHED, LaunchRequest
from tests.servers.cluster import Whole

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
WITHIN_S = 240.0


def ended(whole: Whole, name: str, job: str, digest: str | None) -> tuple[int | None, str]:
    """The exit code and the message of a run of ``insights`` whose input nobody published."""
    from k8s.images.parts import PACKAGES
    from k8s.launch.parts import FILES, PLATFORM
    from k8s.launch.sizes import resources_of

    resources = resources_of(whole.teams.team("insights"))
    key, epoch = RunKey("insights", "insights.daily", name, "20130101T000000Z"), Epoch("3f" * 8, 1, 1)
    edge = EdgeRef(team="insights", dag_id="insights.daily", task_id="nobody")
    config = ExportedConfig(
        key=key, epoch=epoch, job=job, inputs={"numbers": (edge,)}, workspace=PACKAGES, team_files=f"{FILES}/teams",
        run=RunFacts(run_id="r", run_after=datetime(2013, 1, 1, tzinfo=UTC)),
        code=CodeFacts(image=resources.image, digest=digest),
    )  # fmt: skip
    command = ("driver", "--config", CONFIG, "--result", RESULT, "--platform", f"{FILES}/{PLATFORM}")
    launcher = whole.launcher("insights")
    launcher.start(
        LaunchRequest(
            f"code-{name}", key, epoch, 0, command, config.json_bytes(), resources=resources, files=whole.files
        )
    )
    deadline = time.monotonic() + WITHIN_S
    while (status := launcher.status(f"code-{name}")).phase in UNFINISHED:
        assert time.monotonic() < deadline, status.why
        time.sleep(0.3)
    result = RunResult.parse_json(status.result or b"", where="result")
    return status.exit_code, result.error.message if result.error else ""


def test_an_image_of_other_code_runs_nothing(whole: Whole) -> None:
    here = tree_digest(whole.workspace / "jobs", "insights")
    image = whole.teams.team("insights").image

    same = ended(whole, "same", "jobs.insights.sums:Sums", here)
    other = ended(whole, "other", "jobs.insights.sums:Sums", "0" * 64)
    absent = ended(whole, "absent", "jobs.insights.sumz:Sums", here)

    assert same[0] == 75, same  # on to its input, which nobody published
    assert other[0] == absent[0] == 64
    assert f"got: {here}" in other[1]
    assert "teamspark image build insights; teamspark image push insights" in other[1]
    assert f"there is no module jobs.insights.sumz; did you mean sums?\n  where: {image}" in absent[1]
