"""Tasks that run a program of another image: what a DAG may say of them, and their life on one machine, without Spark."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_bindings.platform import Platform

TEAM = """
team: flights
owners: [flights@example.org]
store: {kind: directory, root: store/flights}
writes: ["delivered/*"]
"""
PROGRAM = """
import json, os, pathlib
told = json.loads(pathlib.Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
lines = [told["run"]["task_id"]]
for port, one in sorted(told["inputs"].items()):
    lines += [f"{port}: {(pathlib.Path(one['path']) / name).read_text()}" for name in one["files"]]
if told["parameters"].get("fail"):
    raise SystemExit(9)
print("wrote", lines)
(pathlib.Path(told["outputs"]["default"]["path"]) / "told.txt").write_text("; ".join(lines))
"""
IMPORT = (
    "from airflow_bindings import ExecutionEnvironmentOperator as Tool\nIMAGE = 'registry.example.org/flights/tool'\n"
)
COMMAND = f"COMMAND = [{sys.executable!r}, 'tool.py']\n"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(TEAM)
    (tmp_path / "tool.py").write_text(PROGRAM)
    monkeypatch.setenv("AIRFLOW__TEAMSPARK__WORKSPACE", str(tmp_path))
    return tmp_path


def told(workspace: Path, task: str) -> str:
    """The newest that ``task`` has published."""
    found = sorted((workspace / "store/flights").rglob(f"{task}/*/a*/default/told.txt"))
    return found[-1].read_text()


def body(dag_id: str, *tasks: str) -> str:
    lines = "".join(f"    {task}\n" for task in tasks)
    return f"{IMPORT}{COMMAND}with DAG({dag_id!r}, schedule=None):\n{lines}"


def run(platform: Platform, text: str) -> tuple[Any, str, dict[str, str]]:
    dag = platform.dag(text)
    made = platform.manual(dag, datetime(2013, 1, 1, tzinfo=UTC))
    return dag, made, platform.run(dag, made)


def test_the_first_example_runs_as_it_is_written(platform: Platform, name: str, workspace: Path) -> None:
    text = (
        IMPORT
        + COMMAND
        + f"""
from airflow_bindings import ExecutionEnvironmentOperator

with DAG("flights.{name}", schedule=None):
    for number in (1, 2):
        Tool(task_id=f"task_{{number}}", image=IMAGE, tag="1", local_command=COMMAND)
    ExecutionEnvironmentOperator(
        task_id="task_3",
        job_config={{
            "input": {{"operators": [{{"task_id": "task_1"}}, {{"task_id": "task_2"}}]}},
            "output": {{"default": {{"destinations": [{{"type": "path", "data": {{"path": "delivered/{{{{ ds }}}}"}}}}]}}}},
        }},
        image="registry.example.org/flights/tool",
        tag="2.3.1",
        local_command=COMMAND,
    )
"""
    )

    dag, made, states = run(platform, text)

    assert states == {"task_1": "success", "task_2": "success", "task_3": "success"}
    assert told(workspace, "task_3") == "task_3; task_1: task_1; task_2: task_2"
    reference = platform.xcom(dag, made, "task_3")
    assert (reference["verdict"], reference["outputs"]["default"]["files"]) == ("published", 1)
    manifest = json.loads(next((workspace / "store/flights").rglob("task_3/*/_log/0001.published")).read_text())
    assert manifest["job"] == "registry.example.org/flights/tool:2.3.1"
    assert [one["port"] for one in manifest["inputs"]] == ["task_1", "task_2"]
    assert len(list((workspace / "delivered").rglob("told.txt"))) == 1


def test_a_program_that_fails_fails_its_task(platform: Platform, name: str, workspace: Path) -> None:
    task = "Tool(task_id='t', image=IMAGE, tag='1', local_command=COMMAND, parameters={'fail': True})"

    _, _, states = run(platform, body(f"flights.{name}", task))

    assert states == {"t": "failed"}
    assert not list((workspace / "store/flights").rglob("_log/*.published"))


def test_an_image_with_nothing_to_run_in_its_place_needs_a_cluster(
    platform: Platform, name: str, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, _, states = run(platform, body(f"flights.{name}", "Tool(task_id='t', image=IMAGE, tag='1')"))

    assert states == {"t": "failed"}
    assert not (workspace / "store").exists()


SIZES = """\
image: registry.example.org/flights/jobs:1
images: [registry.example.org/flights/*]
quota: {cpu: 4, memory: 8Gi, pods: 10}
limits: {driver: {cpu: 1, memory: 1Gi}, executor: {cpu: 1, memory: 1Gi}, max_executors: 2}
sizes: {S: {executors: 1}}
"""


@pytest.mark.parametrize(
    ("sizes", "size", "state"), [(SIZES, "S", "success"), (SIZES, "XXL", "failed"), ("", "XXL", "success")]
)
def test_a_size_that_no_cluster_would_know_is_told_on_one_machine_too(
    platform: Platform, name: str, workspace: Path, sizes: str, size: str, state: str
) -> None:
    """A team that has no sizes has no cluster yet."""
    (workspace / "k8s/teams/flights.yaml").write_text(TEAM + sizes)
    task = f"Tool(task_id='t', image=IMAGE, tag='1', local_command=COMMAND, size={size!r})"

    _, _, states = run(platform, body(f"flights.{name}", task))

    assert states == {"t": state}


@pytest.mark.parametrize(
    ("task", "error"),
    [
        ("Tool(task_id='t')", "t: image: missing; it says which program runs"),
        ("Tool(task_id='t', image=IMAGE)", "t: image: 'registry.example.org/flights/tool'; expected a tag"),
        ("Tool(task_id='t', image=IMAGE, tag='latest')", "expected a tag other than latest"),
        ("Tool(task_id='t', image=IMAGE, tag='1', data='nfs')", "t: data: 'nfs'; expected one of copy, volume, uri"),
        ("Tool(task_id='t', image=IMAGE, tag='1', local_command='python x')", "t: local_command: a list of words"),
        ("Tool(task_id='t', image=IMAGE, tag='1', local_command=[])", "t: local_command: a list of words"),
        (
            "Tool(task_id='t', image=IMAGE, tag='1', local_command=['x', '--password=hunter2'])",
            "t: local_command: looks like a secret",
        ),
        ("Tool(task_id='t', image=IMAGE, tag='1', spark_conf={})", "t: spark_conf: no argument of this operator"),
        ("Tool(task_id='t', image=IMAGE, tag='1', job='Score')", "not a job name"),
        (
            "Tool(task_id='t', image=IMAGE, tag='1', parameters={'store': {'db_password': 'hunter2'}})",
            "t: parameters.store.db_password: is called like a secret",
        ),
        (
            "Tool(task_id='t', image=IMAGE, tag='1', job_config={'parameters': {'from': ['https://me:hunter2@host/']}})",
            "t: parameters.from: looks like a secret",
        ),
    ],
)
def test_what_a_task_of_an_image_cannot_say(platform: Platform, name: str, task: str, error: str) -> None:
    assert error in platform.errors(body(f"flights.{name}", task)).replace("\n", " ")


def test_a_producer_without_a_contract_has_the_outputs_that_it_names(platform: Platform, name: str) -> None:
    first = "one = Tool(task_id='one', image=IMAGE, tag='1', job_config={'output': {'model': {}}})"
    second = "Tool(task_id='two', image=IMAGE, tag='1', inputs={'x': one.output})"
    from framework.exports import JobsExport

    jobs = json.loads(JobsExport.of([]).model_dump_json())
    told = platform.errors(body(f"flights.{name}", first, second), jobs=jobs)

    assert "task 'one' has no output 'default'; it has model" in told


def test_jobs_and_contracts_have_an_operator_each(platform: Platform, name: str) -> None:
    from framework.exports import JobsExport
    from framework.job.contract import JobContract

    def contract(job: str, *, container: bool) -> JobContract:
        return JobContract(job, "", (), (), (), {"type": "object"}, several=False, container=container)

    made = [contract("jobs.flights.a:Job", container=False), contract("jobs.flights.a:Tool", container=True)]
    jobs = json.loads(JobsExport.of(made).model_dump_json())
    tasks = (
        "Tool(task_id='one', image=IMAGE, tag='1', job='jobs.flights.a:Job')",
        "Spark(task_id='two', job='jobs.flights.a:Tool')",
    )
    told = platform.errors(body(f"flights.{name}", *tasks), jobs=jobs)

    assert "one: jobs.flights.a:Job is a Spark job, which no other image runs" in told
    assert "two: jobs.flights.a:Tool is a Contract, which an image fulfils" in told


@pytest.mark.parametrize(
    ("parameter", "state"), [("{{ conn.flights__partner.password }}", "failed"), ("plain", "success")]
)
def test_what_a_template_fills_in_may_be_no_secret_either(
    platform: Platform,
    name: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    parameter: str,
    state: str,
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_FLIGHTS__PARTNER", json.dumps({"conn_type": "generic", "password": "hunter2-hunter2"})
    )
    task = f"Tool(task_id='t', image=IMAGE, tag='1', local_command=COMMAND, parameters={{'word': {parameter!r}}})"

    _, _, states = run(platform, body(f"flights.{name}", task))

    assert states == {"t": state}
    found = [one for one in workspace.rglob("*") if one.is_file() and b"hunter2-" in one.read_bytes()]
    assert found == []
