"""``teamspark jars``, as in an environment that has none yet."""

import json
import sys
from pathlib import Path

import pytest

from framework.jars.sync import ensure_jars
from tests.framework.cli.conftest import Teamspark


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a fresh environment keeps its jars: nothing is there yet."""
    environment = tmp_path / "environment"
    environment.mkdir()
    monkeypatch.setattr(sys, "prefix", str(environment))
    return environment / "var/teamspark/jars"


def test_every_set_is_listed_with_what_is_there(teamspark: Teamspark, home: Path) -> None:
    done = teamspark("jars", "list", "--json")

    told = json.loads(done.stdout)
    assert (done.exit_code, told["home"]) == (0, str(home))
    assert {one["set"]: (one["jars"], one["there"]) for one in told["sets"]}["s3a"] == (37, 0)
    assert "s3a" in teamspark("jars", "list").stdout


def test_verify_tells_every_jar_that_is_missing_or_another(teamspark: Teamspark, home: Path) -> None:
    (home / "delta").mkdir(parents=True)
    (home / "delta/delta-storage-4.4.0.jar").write_bytes(b"half")

    done = teamspark("jars", "verify", "delta")

    assert done.exit_code == 1
    assert "delta: 0 of 2 jars" in done.stdout
    assert "delta-storage-4.4.0.jar: got 4 bytes, expected 113863 bytes" in done.stderr
    assert "delta-spark_4.2_2.13-4.4.0.jar: missing" in done.stderr


def test_without_maven_sync_says_what_to_install(
    teamspark: Teamspark, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    done = teamspark("jars", "sync", "delta")

    assert done.exit_code == 65
    assert "there is no Maven" in done.stderr
    assert not list(home.rglob("*.jar"))


def test_sync_has_nothing_to_do_where_all_is_there_and_verify_agrees(teamspark: Teamspark) -> None:
    ensure_jars("delta")

    assert "0 jar(s) fetched, 2 there" in teamspark("jars", "sync", "delta").stdout
    assert teamspark("jars", "verify", "delta").stdout == "delta: 2 of 2 jars are the pinned ones\n"


def test_an_unknown_set_is_told(teamspark: Teamspark) -> None:
    done = teamspark("jars", "sync", "s3")

    assert (done.exit_code, "did you mean 's3a'" in done.stderr) == (64, True)
