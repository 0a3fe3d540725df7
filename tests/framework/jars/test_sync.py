"""Whatever happens on the way, a jar's name stands for the pinned jar or for nothing. No network: see test_maven."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from framework.errors import SetupError
from framework.jars.catalog import Coordinate, Jar, JarSet
from framework.jars.place import flaws, jar_paths, missing
from framework.jars.sync import sync

ROOT = Path(__file__).parents[3]


def content(coordinate: Coordinate) -> bytes:
    return f"classes of {coordinate}".encode() * 1000


def pinned(*coordinates: str, name: str = "s3a") -> JarSet:
    jars = [Coordinate.of(text) for text in coordinates]
    return JarSet(name, "", tuple(Jar(c, len(content(c)), hashlib.sha256(content(c)).hexdigest()) for c in jars))


ONE = pinned("org.a:a:1", "org.b:b:2:linux")


def registry(wanted: Sequence[Coordinate], folder: Path) -> None:
    """Delivers every jar as it should be."""
    for one in wanted:
        (folder / one.file).write_bytes(content(one))


def other_bytes(wanted: Sequence[Coordinate], folder: Path) -> None:
    registry(wanted, folder)
    (folder / wanted[1].file).write_bytes(content(wanted[1]).replace(b"b", b"x"))


def cut_short(wanted: Sequence[Coordinate], folder: Path) -> None:
    registry(wanted, folder)
    (folder / wanted[1].file).write_bytes(content(wanted[1])[:100])


def nothing(wanted: Sequence[Coordinate], folder: Path) -> None:
    registry(wanted[:1], folder)


def left(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_what_is_missing_is_fetched_once_and_said_once(tmp_path: Path) -> None:
    told: list[str] = []

    counts = [sync(tmp_path, [ONE], fetch=registry, notice=told.append) for _ in range(2)]

    assert counts == [2, 0]
    assert left(tmp_path) == ["s3a/a-1.jar", "s3a/b-2-linux.jar"]
    assert jar_paths(tmp_path, ONE) == (tmp_path / "s3a/a-1.jar", tmp_path / "s3a/b-2-linux.jar")
    assert len(told) == 1


def test_only_what_is_missing_or_cut_short_is_asked_for(tmp_path: Path) -> None:
    sync(tmp_path, [ONE], fetch=registry)
    (tmp_path / "s3a/a-1.jar").write_bytes(b"half")
    asked: list[str] = []

    def noting(wanted: Sequence[Coordinate], folder: Path) -> None:
        asked.extend(map(str, wanted))
        registry(wanted, folder)

    sync(tmp_path, [ONE], fetch=noting)

    assert asked == ["org.a:a:1"]
    assert list(flaws(tmp_path, ONE)) == []


def test_a_jar_of_two_sets_is_fetched_once(tmp_path: Path) -> None:
    other = pinned("org.a:a:1", name="delta")

    assert sync(tmp_path, [ONE, other], fetch=registry) == 2
    assert left(tmp_path) == ["delta/a-1.jar", "s3a/a-1.jar", "s3a/b-2-linux.jar"]


@pytest.mark.parametrize("fetch", [other_bytes, cut_short, nothing])
def test_a_wrong_jar_is_an_error_and_nothing_stays(fetch: object, tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        sync(tmp_path, [ONE], fetch=fetch)  # type: ignore[arg-type]  # any of three

    assert left(tmp_path) == []
    assert "org.b:b:2:linux" in str(caught.value)


def test_a_wrong_digest_says_what_came_and_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as caught:
        sync(tmp_path, [ONE], fetch=other_bytes)

    assert f"expected sha256 {ONE.jars[1].sha256}" in str(caught.value)
    assert "got sha256 " in str(caught.value)


def test_a_changed_bit_of_a_jar_that_is_there_is_found(tmp_path: Path) -> None:
    sync(tmp_path, [ONE], fetch=registry)
    path = tmp_path / "s3a/a-1.jar"
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)

    (flaw,) = flaws(tmp_path, ONE)

    assert flaw.path == path
    assert missing(tmp_path, ONE) == ()  # the witness: size alone does not tell


def test_without_the_jars_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="2 of 2 jars") as caught:
        jar_paths(tmp_path, ONE)

    assert "teamspark jars sync s3a" in str(caught.value)


def test_two_at_once_both_succeed(tmp_path: Path) -> None:
    def slowly(wanted: Sequence[Coordinate], folder: Path) -> None:
        registry(wanted, folder)
        time.sleep(0.3)

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: sync(tmp_path, [ONE], fetch=slowly), range(4)))

    assert counts == [2] * 4
    assert left(tmp_path) == ["s3a/a-1.jar", "s3a/b-2-linux.jar"]
    assert list(flaws(tmp_path, ONE)) == []


def test_a_killed_sync_leaves_nothing_that_counts_and_is_swept_away(tmp_path: Path) -> None:
    script = f"""
import time, sys
from pathlib import Path
from framework.jars.sync import sync
from framework.jars.catalog import *
def hang(wanted, folder):
    (folder / wanted[0].file).write_bytes(b"half")
    print("in", flush=True)
    time.sleep(60)
sync(Path({str(tmp_path)!r}), [JarSet("s3a", "", (Jar(Coordinate.of("org.a:a:1"), 9, "0"),))], fetch=hang)
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGKILL)

    (work,) = tmp_path.glob(".syncing-*")
    assert missing(tmp_path, ONE) == ONE.jars
    os.utime(work, (0, 0))
    sync(tmp_path, [ONE], fetch=registry)
    assert left(tmp_path) == ["s3a/a-1.jar", "s3a/b-2-linux.jar"]
    assert not work.exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SetupError, match="cannot be written") as caught:
        sync(tmp_path / "file" / "jars", [ONE], fetch=registry)

    assert str(tmp_path / "file" / "jars") in str(caught.value)
