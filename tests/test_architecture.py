"""The arrows of pyproject.toml hold, and each contract is shown to break on an import it forbids."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("framework", "airflow_bindings", "k8s", "jobs", "benchmarks")


class Plant(NamedTuple):
    """A forbidden import: the contract that must find it, and the module that would hold it."""

    contract: str
    module: str
    line: str


PLANTS = (
    Plant("Rooms", "framework.errors", "import jobs.planted.thing"),
    Plant("Rooms", "framework.errors", "import k8s"),
    Plant("Rooms", "k8s", "import airflow_bindings"),
    Plant("Rooms", "k8s", "import jobs.planted.thing"),
    Plant("Rooms", "jobs.planted.thing", "import k8s"),
    Plant("Nobody", "k8s", "import benchmarks"),
    Plant("Inside", "framework.errors", "import framework.config"),
    Plant("Inside", "framework.identity", "def lazily():\n    import framework.config"),
    Plant("Inside", "framework.schema", "import framework.job"),
    Plant("Inside", "framework.job", "import framework.config"),
    Plant("Inside", "framework.config", "import framework.plan"),
    Plant("Inside", "framework.storage", "import framework.plan"),
    Plant("Inside", "framework.launch", "import framework.servers"),
    Plant("Inside", "framework.servers", "import framework.cache"),
    Plant("Inside", "framework.plan", "import framework.runner"),
    Plant("Inside", "framework.runner", "import framework.driver"),
    Plant("Inside", "framework.driver", "import framework.testing"),
    Plant("Inside", "framework.testing", "import framework.cli"),
    Plant("Teams", "jobs.planted.thing", "import jobs.planted2.thing"),
    Plant("pyspark", "framework.plan", "import pyspark.sql"),
    Plant("pyspark", "framework.storage", "def lazily():\n    import pyspark"),
    Plant("pyspark", "airflow_bindings", "from pyspark import sql"),
    Plant("pyspark", "k8s", "import pyspark"),
    Plant("boto3", "framework.world", "def lazily():\n    import boto3"),
    Plant("boto3", "airflow_bindings", "import botocore"),
    Plant("boto3", "framework.servers", "def lazily():\n    import boto3"),
    Plant("boto3", "k8s", "import boto3"),
    Plant("Airflow", "framework.plan", "import airflow"),
    Plant("Airflow", "jobs.planted.thing", "from airflow.sdk import DAG"),
    Plant("Airflow", "k8s", "import airflow"),
    Plant("Kubernetes", "framework.plan", "import kubernetes"),
    Plant("Kubernetes", "airflow_bindings", "def lazily():\n    import kubernetes.client"),
    Plant("Kubernetes", "jobs.planted.thing", "import kubernetes"),
    Plant("Kubernetes", "k8s", "import kubernetes_asyncio"),
)
ALLOWED = (
    Plant("pyspark", "framework.spark", "import pyspark"),
    Plant("pyspark", "framework.testing", "import pyspark"),
    Plant("pyspark", "jobs.planted.allowed", "import pyspark"),
    Plant("pyspark", "framework.config", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pyspark"),
    Plant("Kubernetes", "k8s.client", "import kubernetes"),
    Plant("Airflow", "airflow_bindings", "import airflow"),
)


def plant(tree: Path, what: Plant) -> None:
    place = tree.joinpath(*what.module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as out:
        out.write(f"\n{what.line}\n")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the rooms, with two more teams."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for team in ("planted", "planted2"):
        plant(tmp_path, Plant("", f"jobs.{team}.thing", "X = 1"))
    return tmp_path


def lint(tree: Path) -> tuple[int, dict[str, str]]:
    """The exit code, and what import-linter says of each broken contract, by the contract's first word."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=tree, capture_output=True, text=True, timeout=120)
    _, _, broken = done.stdout.partition("Broken contracts")
    sections = re.split(r"\n([^\n]+)\n-{4,}\n", broken)
    return done.returncode, {
        re.split(r"\W", head)[0]: body for head, body in zip(sections[1::2], sections[2::2], strict=True)
    }


def told(sections: dict[str, str], what: Plant) -> bool:
    """Whether the contract's section names the importing module and what it must not import."""
    target = re.findall(r"(?m)^\s*(?:import|from) ([\w.]+)", what.line)[-1]
    if not target.startswith(ROOMS):
        target = target.partition(".")[0]
    arrow = rf"{re.escape(what.module)} -> {re.escape(target)}\b"
    return re.search(arrow, sections.get(what.contract, "")) is not None


def test_contracts_hold_and_allow_what_they_should(tree: Path) -> None:
    for what in ALLOWED:
        plant(tree, what)

    code, sections = lint(tree)

    assert (code, sections) == (0, {})


def test_each_contract_breaks_on_each_import_it_forbids(tree: Path) -> None:
    for what in PLANTS:
        plant(tree, what)

    code, sections = lint(tree)

    assert code != 0
    assert [what for what in PLANTS if not told(sections, what)] == []


def test_no_module_is_invisible_to_the_contracts() -> None:
    """A folder without ``__init__.py`` inside a regular package is not looked at: it could import anything."""
    rooms = [room for room in ROOMS if room != "jobs"]

    hidden = [
        file.relative_to(ROOT).as_posix()
        for room in rooms
        for file in (ROOT / room).rglob("*.py")
        if not (file.parent / "__init__.py").exists() and not file.is_relative_to(ROOT / "airflow_bindings" / "dags")
    ]

    assert hidden == []


def test_every_contract_has_a_planted_violation() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert {re.split(r"\W", contract["name"])[0] for contract in contracts} == {what.contract for what in PLANTS}
