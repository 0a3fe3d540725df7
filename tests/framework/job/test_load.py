"""From a job's name to its class, and each way this fails, on a jobs package made for the test."""

import importlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from framework.errors import ConfigError, DefinitionError, TeamsparkError
from framework.job import contract_of, jobs_in, load_job

TEAM: Final = "loadingtests"
HEAD: Final = "from framework import Frame, Job, Schema\nclass Flight(Schema):\n    carrier: str\n"
GOOD: Final = (
    HEAD
    + "class Delays(Job):\n    def transform(self, flights: Frame[Flight]) -> Frame[Flight]: return flights\n"
    + "class Half(Job):\n    pass\n"
)

Writer = Callable[[str, str], Path]


@pytest.fixture
def write_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Writes modules of a team that only this test has; ``jobs`` is a namespace, so it may lie anywhere."""
    folder = tmp_path / "jobs" / TEAM
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = folder / f"{name}.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    yield write
    for name in set(sys.modules) - before:
        if name.startswith(("jobs", TEAM)):
            del sys.modules[name]


def refusal_of(name: str, kind: type[TeamsparkError]) -> str:
    with pytest.raises(kind) as refused:
        load_job(f"jobs.{TEAM}.{name}")
    return str(refused.value)


def test_a_job_is_found_by_its_name(write_job: Writer) -> None:
    write_job("delays", GOOD)

    job = load_job(f"jobs.{TEAM}.delays:Delays")

    assert contract_of(job).job == f"jobs.{TEAM}.delays:Delays"
    assert jobs_in(sys.modules[job.__module__]) == {"Delays": job}


@pytest.mark.parametrize("name", ["delays", "jobs.Flights.x:Y", "os:system", "jobs.flights.x:y", "jobs..x:Y", ""])
def test_what_is_no_job_name_is_refused_before_any_import(name: str) -> None:
    with pytest.raises(ConfigError, match="not a job name"):
        load_job(name)


def test_an_unknown_module_is_told_with_the_nearest(write_job: Writer) -> None:
    write_job("delays", GOOD)
    write_job("sources", "")

    told = refusal_of("delay:Delays", ConfigError)

    assert f"there is no module jobs.{TEAM}.delay; did you mean delays?" in told
    assert "one of delays, sources" in told


def test_an_unknown_team_is_told() -> None:
    with pytest.raises(ConfigError, match=r"there is no module jobs\.nobodyhere"):
        load_job("jobs.nobodyhere.delays:Delays")


def test_an_unknown_class_is_told_with_the_jobs_there_are(write_job: Writer) -> None:
    write_job("delays", GOOD)

    told = refusal_of("delays:Delay", ConfigError)

    assert "has no class Delay; did you mean Delays?" in told
    assert "expected: Delays" in told


@pytest.mark.parametrize("name", ["Flight", "Job"])
def test_a_class_that_is_no_job_is_told(write_job: Writer, name: str) -> None:
    write_job("delays", GOOD)

    assert f"{name} is not a job" in refusal_of(f"delays:{name}", DefinitionError)


@pytest.mark.parametrize(
    ("text", "line", "sentences"),
    [
        ("import nothing_of_this_name\n", 1, ["No module named", "install nothing_of_this_name"]),
        ("x = 1\nx = (\n", 2, ["SyntaxError"]),
        ("x = 1\n\ny = x / 0\n", 3, ["ZeroDivisionError: division by zero"]),
        ("def f():\n    raise KeyError\nf()\n", 2, ["KeyError: no message"]),
        (f"{HEAD}class Bad(Schema):\n    _id: int\n    x: set\n", 4, ["Bad cannot be a schema", "- _id:", "- x:"]),
    ],
)  # fmt: skip
def test_a_module_that_cannot_be_imported_is_told_with_its_line(
    write_job: Writer, text: str, line: int, sentences: list[str]
) -> None:
    path = write_job("broken", text)

    told = refusal_of("broken:Delays", DefinitionError)

    assert f"jobs.{TEAM}.broken cannot be imported" in told
    assert f"{path}:{line}" in told
    assert all(sentence in told for sentence in sentences)


def test_an_expression_of_spark_in_a_module_is_told(write_job: Writer) -> None:
    """In a process of its own: with a session open, as other tests have it, Spark would not mind."""
    path = write_job("broken", "import pyspark.sql.functions as F\nC = F.col('x')\n")

    done = subprocess.run(
        [sys.executable, "-c", f"from framework.job import load_job; load_job('jobs.{TEAM}.broken:Delays')"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(path.parents[2])},
        check=False,
    )

    assert "a module is imported without one" in done.stderr
    assert "inside transform" in done.stderr
    assert f"{path}:2" in done.stderr


def test_importing_a_job_imports_no_pyspark(write_job: Writer, tmp_path: Path) -> None:
    import subprocess

    write_job("delays", GOOD)
    code = (
        f"import sys; sys.path[:0] = [{str(tmp_path)!r}, '.']\n"
        f"from framework.job import contract_of, load_job\n"
        f"contract_of(load_job('jobs.{TEAM}.delays:Delays')).hash\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('pyspark', 'airflow', 'pandas')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"


EXITS: Final = {
    "exit 0": "import sys\nsys.exit(0)\n",
    "exit 3": "import sys\nsys.exit(3)\n",
    "an exception of no Exception's kind": "class Odd(BaseException): ...\nraise Odd('odd')\n",
}


@pytest.mark.parametrize("text", EXITS.values(), ids=EXITS)
def test_a_module_that_exits_is_a_module_that_cannot_be_imported(write_job: Writer, text: str) -> None:
    path = write_job("exits", text)

    told = refusal_of("exits:Job", DefinitionError)

    assert "cannot be imported: " in told
    assert f"{path}:2" in told


def test_python_itself_takes_such_an_exit_for_the_callers(write_job: Writer) -> None:
    write_job("exits", EXITS["exit 0"])

    with pytest.raises(SystemExit):
        importlib.import_module(f"jobs.{TEAM}.exits")


def test_an_interrupt_while_a_module_is_imported_stays_one(write_job: Writer) -> None:
    write_job("slow", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load_job(f"jobs.{TEAM}.slow:Job")
