"""Programs of other languages, on this machine and without a container: they say the same of the same input."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framework.container.arrow import arrow_schema
from framework.container.found import left_in
from framework.container.layout import Layout
from framework.container.told import InputTold, OutputTold, RunTold, Told
from framework.container.typed import as_parquet
from framework.errors import SetupError
from framework.job import contract_of
from k8s.images.kept import Part, ensure_part, images_home, locked
from k8s.images.parts import Builder
from tests.k8s.languages.images import HERE, duckdb_part, go_part, java_part
from tests.k8s.launch.jobs.flights.languages import TotalsElsewhere

Rows = list[dict[str, Any]]
SPEC = contract_of(TotalsElsewhere).outputs[0].schema
LOCK = Path(__file__).parents[3] / "locks" / "jobs.txt"
INPUT = {
    "0/a.parquet": [
        {"carrier": "A", "flights": 1, "minutes": 10},
        {"carrier": "B", "flights": 2, "minutes": -20},
        {"carrier": "A", "flights": 3, "minutes": 30},
    ],
    "1/b.parquet": [{"carrier": "A", "flights": 5, "minutes": 2**40}],
}
TOTALS = [{"carrier": "A", "flights": 9, "minutes": 40 + 2**40}, {"carrier": "B", "flights": 2, "minutes": -20}]
ODD = [{"carrier": one, "flights": 1, "minutes": 2} for one in sorted(["", " a ", "a,b", 'a"b', "NULL", "\u00e9"])]


def made(part: Callable[[Builder], Part], *tools: str) -> Path:
    """The tree of ``part``: made once for a machine, as it is for an image."""
    if missing := [one for one in tools if shutil.which(one) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    home = images_home(os.environ)
    with locked(home):
        return ensure_part(home, part(Builder(os.environ, LOCK, print)), print).layer.source


def python() -> list[str]:
    return [sys.executable, str(HERE / "python" / "totals.py")]


def duckdb() -> list[str]:
    try:
        binary = shutil.which("duckdb") or made(duckdb_part) / "duckdb_cli" / "duckdb"
    except SetupError as error:
        pytest.skip(f"no duckdb on this machine, and its package does not come: {error}")
    return ["env", f"DUCKDB={binary}", "sh", str(HERE / "duckdb" / "totals.sh")]


def go() -> list[str]:
    return [str(made(go_part, "go") / "totals")]


def java() -> list[str]:
    tree = made(java_part, "javac", "java")
    return ["java", "-Xmx256m", "-cp", f"{tree}/jars/*{os.pathsep}{tree}", "Totals"]


def written(layout: Layout, name: str, rows: Rows) -> None:
    file = layout.input("delays") / name
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(SPEC)), file)


def said(folder: Path, words: list[str], files: Mapping[str, Rows]) -> Rows:
    """What the program ``words`` makes of ``files``, as it is published, sorted."""
    layout = Layout(folder / "root", folder / "state")
    for name, rows in files.items():
        written(layout, name, rows)
    layout.output("default").mkdir(parents=True)
    told = Told(
        run=RunTold(team="flights", dag_id="flights.x", task_id="t", run="r"),
        data="copy",
        inputs={"delays": InputTold(path=str(layout.input("delays")), files=tuple(files))},
        outputs={"default": OutputTold(path=str(layout.output("default")))},
    )
    layout.config.write_bytes(told.json_bytes())
    variables = layout.variables(["delays"], ["default"])

    subprocess.run(words, check=True, env={**os.environ, **variables}, timeout=120)

    left = left_in(layout.output("default"), output="default", where="test")
    (file,) = as_parquet(left, SPEC, folder / "typed", output="default", where="test")
    return sorted(pq.read_table(file.path).to_pylist(), key=lambda row: str(row["carrier"]))


@pytest.mark.parametrize("language", [python, duckdb, go, java], ids=lambda one: one.__name__)
def test_it_says_what_the_others_say(tmp_path: Path, language: Callable[[], list[str]]) -> None:
    words = language()

    assert said(tmp_path / "several", words, INPUT) == TOTALS
    assert said(tmp_path / "none", words, {"part-0.parquet": []}) == []
    assert said(tmp_path / "odd", words, {"part-0.parquet": ODD}) == ODD


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_java_says_that_a_disk_is_full(tmp_path: Path) -> None:
    words, layout = java(), Layout(tmp_path, tmp_path)
    written(layout, "part-0.parquet", ODD)
    layout.output("default").mkdir(parents=True)
    (layout.output("default") / "totals.csv").symlink_to("/dev/full")

    done = subprocess.run(
        words, env={**os.environ, **layout.variables(["delays"], ["default"])}, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "No space left" in done.stderr
