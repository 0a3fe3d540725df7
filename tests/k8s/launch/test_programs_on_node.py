"""Programs of other images on a real node: what they read and leave, what becomes of those that fail, and of those that are killed."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from framework.config import DataMode, RunResult
from framework.diagnosis import Reason
from framework.errors import PolicyError, SetupError
from framework.identity import RunKey
from framework.launch.base import Phase, Status
from framework.storage.publish import RunLog
from tests import waiting
from tests.framework.container.ground import Ground
from tests.k8s.launch.programs import WORDS, as_program, import_scripts
from tests.k8s.launch.test_spark import ended, request_of
from tests.servers.cluster import Whole
from tests.servers.node import IMAGES

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WITHIN_S = 240.0
until = partial(waiting.until, within_s=WITHIN_S)
TOOL = f"{IMAGES}/flights/scores:1"
ROOT = f"{IMAGES}/flights/root:1"
EMPTY = f"{IMAGES}/flights/empty:1"
ABSENT = f"{IMAGES}/flights/absent:1"
SCORES = [{"carrier": "AA", "score": 3.0}, {"carrier": "UA", "score": 0.0}]


@dataclass(frozen=True)
class Programs:
    """A team's programs on the node. ``ground``: its store, as this machine's administrator sees it."""

    whole: Whole
    ground: Ground

    def run(self, do: str, *, data: DataMode = "copy", image: str = TOOL, number: int = 1, reads: str = "raw") -> str:
        """Start one; the name of its launch. What the contract says by default is not said again. ``number``: of the try; ``reads``: the task."""
        from framework.config import EdgeRef

        edge = EdgeRef(team="flights", dag_id="flights.daily", task_id=reads)
        made = request_of(
            self.whole,
            self.key(do, data, image),
            "jobs.flights.scores:Score",
            inputs={"flights": (edge,)},
            parameters={} if do == "score" else {"do": do},
        )
        asked = as_program(made, image, data, inputs=("flights",), number=number)
        self.launcher.start(asked)
        return asked.name

    def key(self, do: str, data: DataMode = "copy", image: str = TOOL) -> RunKey:
        kind = image.rpartition("/")[2].partition(":")[0]
        return RunKey("flights", "flights.daily", f"{kind}-{do}-{data}", "20130101T000000Z")

    @property
    def launcher(self) -> Any:
        return self.whole.launcher("flights")

    def ended(self, name: str) -> tuple[Status, str]:
        status = ended(self.launcher, name)
        return status, self.launcher.log(name).decode()  # as a process sees it that has not looked at the pod

    def log(self, do: str, data: DataMode = "copy") -> RunLog:
        return RunLog(self.ground.store, self.key(do, data))


@pytest.fixture(scope="module")
def programs(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    from framework.world import open_store

    home = tmp_path_factory.mktemp("programs")
    store: Any = open_store(whole.teams.team("flights").store, workspace=whole.workspace, keys=whole.keys)
    ground = Ground(home, "copy", store)
    ground.published()
    ground.published(task="large", least=(1 << 30) + 1)
    script, user = Path(__file__).with_name("scores.py"), "4242:4242"
    kinds: dict[str, dict[str, object]] = {
        TOOL: {"user": user, "entrypoint": WORDS},
        ROOT: {"entrypoint": WORDS},
        EMPTY: {"user": user},
    }
    import_scripts(whole, home, {name: (script, more) for name, more in kinds.items()})
    yield Programs(whole, ground)
    whole.node.empty("flights")


@pytest.mark.parametrize("data", ["copy", "uri"])
def test_a_program_is_published_like_a_job(programs: Programs, data: DataMode) -> None:
    name = programs.run("score", data=data)

    status, log = programs.ended(name)

    assert status.phase is Phase.SUCCEEDED, f"{status}\n{log}"
    assert status.result is not None
    result = RunResult.parse_json(status.result, where="result")
    assert (result.verdict, result.outputs["default"].rows, result.rows_read) == ("published", 2, 2)
    assert "the program does: score" in log
    assert log.index("the program does") < log.index("published:"), "one step's log after the other's"
    published = programs.log("score", data).newest()
    assert published is not None
    import pyarrow.parquet as pq

    (path,) = published.paths()
    assert pq.read_table(programs.ground.store.readable(path)).to_pylist() == SCORES


FAULTS: list[tuple[str, int, Reason | None, str]] = [
    ("nothing", 65, None, "wrote nothing"),
    ("fail", 75, Reason.PROGRAM, "the image's own program failed: exit code 75"),
    ("half", 65, None, "part-1.parquet"),
    ("bad", 65, None, "default.carrier.null: 1 row"),
    ("outside", 65, None, "wrote nothing"),
    ("forge", 1, Reason.PROGRAM, "exit code 1"),
    ("hungry", 137, Reason.MEMORY, "the program needed more than its 1Gi of memory"),
]


@pytest.mark.parametrize(("do", "code", "reason", "told"), FAULTS)
def test_what_fails_publishes_nothing_and_says_why(
    programs: Programs, do: str, code: int, reason: Reason | None, told: str
) -> None:
    name = programs.run(do)

    status, log = programs.ended(name)

    assert (status.phase, status.exit_code, status.reason) == (Phase.FAILED, code, reason), f"{status}\n{log}"
    assert told in f"{status.why}\n{log}"
    assert "could write to" not in log
    assert programs.log(do).newest() is None


@pytest.mark.parametrize(
    ("image", "reason", "told"),
    [(ROOT, Reason.ROOT, "runAsNonRoot"), (EMPTY, Reason.CONTAINER, "no command specified")],
)
def test_an_image_that_cannot_be_run_is_told_at_once(programs: Programs, image: str, reason: Reason, told: str) -> None:
    name = programs.run("score", image=image)

    status, _ = programs.ended(name)
    programs.launcher.kill(name)  # kubelet would try for ever, and its room with it

    assert (status.phase, status.reason) == (Phase.FAILED, reason)
    assert told in str(status.why)
    assert programs.launcher.status(name).phase is Phase.ABSENT


def test_an_image_that_nobody_has_is_told_while_it_is_waited_for(programs: Programs) -> None:
    name = programs.run("score", image=ABSENT)

    until(lambda: "absent:1" in str(programs.launcher.status(name).why))

    status = programs.launcher.status(name)
    programs.launcher.kill(name)
    assert (status.phase, status.reason) == (Phase.RUNNING, Reason.IMAGE)  # its first step has run


def test_an_image_of_somebody_else_is_refused(programs: Programs) -> None:
    with pytest.raises(PolicyError, match="image"):
        programs.run("score", image="registry.example.net/elsewhere/tool:1")


def test_a_program_that_fills_the_disk_is_ended(programs: Programs) -> None:
    """It may write 1 GiB here, and its folders count."""
    name = programs.run("fill")

    status, _ = programs.ended(name)

    assert (status.phase, status.reason) == (Phase.LOST, Reason.DISK)
    assert programs.log("fill").seen() == frozenset()


def test_inputs_that_are_larger_than_the_pods_disk_are_refused_before_they_are_fetched(programs: Programs) -> None:
    name = programs.run("score4", reads="large")

    status, log = programs.ended(name)

    assert (status.phase, status.exit_code) == (Phase.FAILED, SetupError.exit_code), f"{status}\n{log}"
    assert "the inputs are larger than the folder that they are copied to" in log
    assert "expected: at most 1,073,741,824 bytes" in log
    assert programs.log("score4").seen() == frozenset()


def _step_runs(programs: Programs, name: str, step: str) -> bool:
    from k8s.client import Place

    pod = programs.whole.node.admin.get(Place("v1", "Pod", "flights", name))
    assert pod is not None
    told = pod.get("status", {})
    found = [*told.get("initContainerStatuses", ()), *told.get("containerStatuses", ())]
    return any(one["name"] == step and "running" in one["state"] for one in found)


@pytest.mark.parametrize("step", ["prepare", "program", "publish"])
def test_killed_in_any_step_nothing_is_left_and_the_next_try_publishes(programs: Programs, step: str) -> None:
    """Steps around a program are over before they are seen to run: they wait for a store that is silent."""
    do = {"prepare": "score1", "program": "linger", "publish": "tarry"}[step]
    with ExitStack() as held:
        if step == "prepare":
            held.enter_context(programs.whole.silent_store())
        name = programs.run(do)
        if step == "publish":
            until(lambda: _step_runs(programs, name, "program"))
            held.enter_context(programs.whole.silent_store())
        until(lambda: _step_runs(programs, name, step))

        programs.launcher.kill(name)

    for kind in ("Pod", "ConfigMap", "Secret"):
        names = [one["metadata"]["name"] for one in programs.whole.node.admin.list("v1", kind, namespace="flights")]
        assert name not in names, kind
    assert programs.log(do).seen() == frozenset(), "no attempt was claimed"

    status, log = programs.ended(programs.run(do, number=2))
    assert status.phase is Phase.SUCCEEDED, f"{status}\n{log}"


def test_a_program_that_is_deaf_to_signals_is_ended(programs: Programs) -> None:
    name = programs.run("deaf")
    until(lambda: _step_runs(programs, name, "program"))

    programs.launcher.kill(name)

    assert programs.launcher.status(name).phase is Phase.ABSENT
