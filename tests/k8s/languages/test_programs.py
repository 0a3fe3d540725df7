"""Programs of other languages, on this machine and without a container: they say the same of the same input."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framework.container.found import left_in
from framework.container.layout import Layout
from framework.container.told import InputTold, OutputTold, RunTold, Told
from framework.container.typed import as_parquet
from framework.job import contract_of
from tests.k8s.languages.images import HERE, jars
from tests.k8s.launch.jobs.flights.languages import TotalsElsewhere

INPUT = {
    "0/a.parquet": {"carrier": ["A", "B", "A"], "flights": [1, 2, 3], "minutes": [10, 20, 30]},
    "1/b.parquet": {"carrier": ["A"], "flights": [5], "minutes": [50]},
}
TOTALS = [{"carrier": "A", "flights": 9, "minutes": 90}, {"carrier": "B", "flights": 2, "minutes": 20}]


def python(_: Path) -> list[str]:
    return [sys.executable, str(HERE / "python" / "totals.py")]


def java(folder: Path) -> list[str]:
    if missing := [one for one in ("javac", "java") if shutil.which(one) is None]:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    path = os.pathsep.join(map(str, jars()))
    source = HERE / "java" / "Totals.java"
    subprocess.run(["javac", "--release", "17", "-cp", path, "-d", folder, source], check=True)
    return ["java", "-Xmx256m", "-cp", f"{path}{os.pathsep}{folder}", "Totals"]


@pytest.mark.parametrize("language", [python, java], ids=lambda one: one.__name__)
def test_it_says_what_the_others_say(tmp_path: Path, language: Callable[[Path], list[str]]) -> None:
    spec, layout = contract_of(TotalsElsewhere).outputs[0].schema, Layout(tmp_path / "root", tmp_path / "state")
    for name, columns in INPUT.items():
        (layout.input("delays") / name).parent.mkdir(parents=True)
        pq.write_table(pa.table(columns), layout.input("delays") / name)
    layout.output("default").mkdir(parents=True)
    told = Told(
        run=RunTold(team="flights", dag_id="flights.x", task_id="t", run="r"),
        data="copy",
        inputs={"delays": InputTold(path=str(layout.input("delays")), files=tuple(INPUT))},
        outputs={"default": OutputTold(path=str(layout.output("default")))},
    )
    layout.config.write_bytes(told.json_bytes())

    subprocess.run(
        language(tmp_path), check=True, env={**os.environ, **layout.variables(["delays"], ["default"])}, timeout=120
    )

    left = left_in(layout.output("default"), output="default", where="test")
    (file,) = as_parquet(left, spec, tmp_path / "typed", output="default", where="test")
    assert sorted(pq.read_table(file.path).to_pylist(), key=lambda row: str(row["carrier"])) == TOTALS
