"""``doctor``: each thing that can be broken is a failing line with its fix, and a whole machine has none."""

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from framework.cli.diagnosis import (
    Diagnosis,
    Machine,
    probe_archive,
    probe_commands,
    probe_jars,
    probe_java,
    probe_mount,
    probe_packages,
    probe_python,
    probe_submit,
    probe_teams,
)
from framework.java import find_java
from framework.storage.base import Entry
from framework.storage.memory import MemoryStore
from framework.storage.mounts import parse_mounts
from framework.storage.posix import DirectoryStore
from tests.framework.cli.conftest import Teamspark


@pytest.fixture
def spark_home(tmp_path: Path) -> Path:
    """Files as an installed pyspark has them."""
    home = tmp_path / "pyspark"
    (home / "jars").mkdir(parents=True)
    (home / "jars/spark-core_2.13-4.2.0.jar").touch()
    (home / "version.py").write_text('__version__: str = "4.2.0"\n')
    return home


@pytest.fixture
def machine(spark_home: Path) -> Machine:
    """A machine on which nothing is broken."""
    versions = {"pyspark": "4.2.0", "pyspark-client": "4.2.0", "apache-airflow": "3.3.2"}
    pins = {"pyspark": "4.2.0", "pyspark-client": "4.2.0", "apache-airflow": "3.3.2"}
    return Machine((3, 11), {}, versions, pins, spark_home, (), ("airflow_bindings.policy",))


def broken(*found: Diagnosis) -> list[Diagnosis]:
    """The broken ones, each of which must say what to do."""
    wrong = [one for one in found if one.verdict == "broken"]
    assert all(one.fix for one in wrong)
    return wrong


def test_nothing_is_broken_on_a_whole_machine(machine: Machine) -> None:
    found = [probe_python(machine), *probe_packages(machine), probe_submit(machine), *probe_commands(machine)]

    assert broken(*found) == []


def test_another_python(machine: Machine) -> None:
    (found,) = broken(probe_python(replace(machine, python=(3, 12))))

    assert "3.12" in found.told
    assert "3.11" in str(found.fix)


def without(versions: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in versions.items() if name not in names}


def test_no_spark_at_all(machine: Machine) -> None:
    (found,) = broken(*probe_packages(replace(machine, versions={}, spark_home=None)))

    assert "teamspark[jobs]" in str(found.fix)


def test_the_client_alone_is_an_airflow_side_and_not_broken(machine: Machine) -> None:
    found = list(probe_packages(replace(machine, versions=without(machine.versions, "pyspark"))))

    assert broken(*found) == []
    assert [one.verdict for one in found] == ["note"]


def test_two_versions_that_share_their_files(machine: Machine) -> None:
    clash = {**machine.versions, "pyspark-client": "4.1.0"}

    found = broken(*probe_packages(replace(machine, versions=clash)))

    assert "pyspark 4.2.0 and pyspark-client 4.1.0" in found[0].told
    assert "rm -rf .venv" in str(found[0].fix)


def test_a_version_that_is_not_the_pinned_one(machine: Machine) -> None:
    (found,) = broken(*probe_packages(replace(machine, versions={**machine.versions, "apache-airflow": "3.2.0"})))

    assert ("3.2.0" in found.told, "3.3.2" in found.told) == (True, True)


@pytest.mark.parametrize("loss", ["version.py", "jars/spark-core_2.13-4.2.0.jar"])
def test_files_that_another_uninstall_took_along(machine: Machine, spark_home: Path, loss: str) -> None:
    (spark_home / loss).unlink()

    (found,) = broken(*probe_packages(machine))

    assert "pyspark 4.2.0" in found.told


def test_files_of_another_version_than_the_listed_one(machine: Machine, spark_home: Path) -> None:
    (spark_home / "version.py").write_text('__version__: str = "4.1.0"\n')

    (found,) = broken(*probe_packages(machine))

    assert "4.1.0" in found.told


def java_that_says(folder: Path, version: str) -> dict[str, str]:
    """An environment whose only Java says that it is ``version``."""
    program = folder / "bin/java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"JAVA_HOME": str(folder), "PATH": "/nonexistent"}


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "24.0.1"])
def test_a_java_that_is_too_old_or_too_new(machine: Machine, tmp_path: Path, version: str) -> None:
    (found,) = broken(probe_java(replace(machine, environ=java_that_says(tmp_path / "jdk", version))))

    assert version in found.told


def test_a_java_home_that_was_passed_over_is_noted(machine: Machine, tmp_path: Path) -> None:
    good, old = (java_that_says(tmp_path / version, version) for version in ("17.0.1", "11.0.2"))
    environ = {"JAVA_HOME": old["JAVA_HOME"], "PATH": f"{good['JAVA_HOME']}/bin"}

    found = probe_java(replace(machine, environ=environ))

    assert found.verdict == "note"
    assert f"passed over: JAVA_HOME: {old['JAVA_HOME']}/bin/java is Java 11.0.2" in found.told


def test_no_java(machine: Machine) -> None:
    (found,) = broken(probe_java(replace(machine, environ={"PATH": "/nonexistent"})))

    assert "JAVA_HOME" in found.told


def test_spark_arguments_that_cannot_be_read(machine: Machine) -> None:
    (found,) = broken(probe_submit(replace(machine, environ={"PYSPARK_SUBMIT_ARGS": "--conf nonsense pyspark-shell"})))

    assert "PYSPARK_SUBMIT_ARGS" in found.told


def test_settings_from_outside_are_named(machine: Machine) -> None:
    environ = {"PYSPARK_SUBMIT_ARGS": "--conf spark.driver.memory=2g pyspark-shell"}

    found = probe_submit(replace(machine, environ=environ))

    assert (found.verdict, "spark.driver.memory" in found.told) == ("note", True)


@pytest.fixture
def with_java(machine: Machine, tmp_path: Path) -> Machine:
    return replace(machine, environ=java_that_says(tmp_path / "jdk", "17.0.1"))


def test_an_archive_is_to_be_built_there_or_given_up(with_java: Machine, spark_home: Path, tmp_path: Path) -> None:
    from framework.spark.archive import fingerprint

    folder = tmp_path / "archive"
    folder.mkdir()
    stem = fingerprint(find_java(with_java.environ), spark_home).stem

    first = probe_archive(with_java, spark_home, folder)
    (folder / f"{stem}.ignored").write_text("2")
    given_up = probe_archive(with_java, spark_home, folder)
    (folder / f"{stem}-3.jsa").write_bytes(b"abc")
    there = probe_archive(with_java, spark_home, folder)

    assert [first.verdict, given_up.verdict, there.verdict] == ["note", "broken", "ok"]
    assert f"{stem}.ignored" in str(given_up.fix)


def test_a_plugin_that_does_not_load(machine: Machine) -> None:
    entry = EntryPoint("extra", "no_such_module_anywhere:app", "teamspark.commands")

    (found,) = broken(*probe_commands(replace(machine, commands=(entry,))))

    assert (found.probe, "no_such_module_anywhere" in found.told) == ("command extra", True)


def test_airflow_without_the_policy(machine: Machine) -> None:
    (found,) = broken(*probe_commands(replace(machine, policies=("another.policy",))))

    assert found.probe == "airflow policy"


def test_team_files_are_told_mistake_by_mistake(workspace: Path, team: str) -> None:
    (workspace / f"k8s/teams/{team}.yaml").write_text(f"team: {team}\nowners: []\nstore: {{kind: s4, root: x}}\n")

    found = broken(*probe_teams(workspace, MemoryStore()))

    assert len(found) == 2
    assert all(f"{team}.yaml:" in one.told for one in found)


def test_no_team_file(tmp_path: Path) -> None:
    (tmp_path / "k8s/teams").mkdir(parents=True)

    (found,) = broken(*probe_teams(tmp_path, MemoryStore()))

    assert "teamspark new team" in str(found.fix)


def test_a_sources_file_with_mistakes(workspace: Path, team: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace / f"jobs/{team}/sources.yaml").write_text("x: {kind: files, format: xml, uri: a}\n")
    monkeypatch.syspath_prepend(workspace)

    (found,) = broken(*probe_teams(workspace, MemoryStore()))

    assert found.probe == f"sources of {team}"
    assert "format" in found.told


class Forgetful(MemoryStore):
    """A store that says yes to every put, as some do that ignore the condition."""

    def put_if_absent(self, path: str, data: bytes) -> None:
        self._files[path] = (data, 0.0)

    def stat(self, path: str) -> Entry | None:
        return None


def test_a_store_that_does_not_decide_between_writers(workspace: Path) -> None:
    (found,) = broken(*probe_teams(workspace, Forgetful()))

    assert found.probe == "this machine's store"
    assert "put-if-absent" in found.told


def test_a_store_that_cannot_be_written(workspace: Path, team: str) -> None:
    (workspace / "store").write_text("a file where the root should be")

    (found,) = broken(*probe_teams(workspace, MemoryStore()))

    assert found.probe == f"store of {team}"


def test_a_store_is_left_as_it_was_found(workspace: Path, tmp_path: Path) -> None:
    local = DirectoryStore(tmp_path / "local")

    assert broken(*probe_teams(workspace, local)) == []
    assert local.list("/") == ()


def test_the_command_tells_every_probe_and_ends_with_1_when_one_is_broken(
    teamspark: Teamspark, workspace: Path, team: str
) -> None:
    (workspace / "store").write_text("a file where the root should be")

    people = teamspark("doctor")
    script = teamspark("doctor", "--json")

    lines = [line for line in people.stdout.splitlines() if line.startswith("BROKEN")]
    assert (people.exit_code, script.exit_code) == (1, 1)
    assert any(f"store of {team}" in line and "; fix: " in line for line in lines)
    assert {one["probe"] for one in json.loads(script.stdout)} >= {"python", "java", f"store of {team}"}


def test_jars_are_to_be_fetched_or_spoilt(tmp_path: Path) -> None:
    absent = probe_jars(tmp_path)
    (tmp_path / "delta").mkdir()
    (tmp_path / "delta/delta-storage-4.4.0.jar").write_bytes(b"half")

    spoilt = probe_jars(tmp_path)

    assert absent.verdict == "note"
    assert "none there" in absent.told
    (line,) = broken(spoilt)
    assert "delta-storage-4.4.0.jar" in line.told
    assert line.fix == "teamspark jars sync"


@pytest.mark.parametrize(
    ("options", "verdict", "told"),
    [
        ("rw,vers=4.1,hard,lookupcache=pos,acdirmin=0,acdirmax=1", "ok", "nfs4 fs-1:/ at"),
        ("rw,vers=3,hard,lookupcache=pos,acdirmin=0,acdirmax=1", "broken", "vers=3"),
    ],
)
def test_how_a_network_file_system_is_mounted(tmp_path: Path, options: str, verdict: str, told: str) -> None:
    mounts = parse_mounts(f"1 0 0:1 / {tmp_path} rw shared:1 - nfs4 fs-1:/ {options}\n")

    found = probe_mount("flights", tmp_path / "lake", mounts)

    assert (found.probe, found.verdict) == ("mount of flights", verdict)
    assert told in found.told
    assert (found.fix is not None) is (verdict == "broken")


def test_a_network_file_system_that_is_a_disk_of_this_machine_is_noted(
    workspace: Path, team: str, tmp_path: Path
) -> None:
    store = f"{{kind: efs, root: {tmp_path}}}"
    (workspace / f"k8s/teams/{team}.yaml").write_text(f"team: {team}\nowners: [a@b.c]\nstore: {store}\n")

    found = {one.probe: one for one in probe_teams(workspace, MemoryStore())}

    assert found[f"mount of {team}"].verdict == "note"
    assert "no network file system" in found[f"mount of {team}"].told
