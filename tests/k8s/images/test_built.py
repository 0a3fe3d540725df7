"""The real image, from this machine's packages, run as a container would: its user, nothing writable but what is mounted."""

import json
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from k8s.images.kept import images_home
from k8s.images.parts import Builder
from k8s.images.spark import SETTINGS, Image, build_spark
from k8s.images.team import build_team

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("images"),
    pytest.mark.skipif(os.geteuid() != 0, reason="debootstrap and chroot need root"),
    pytest.mark.skipif(shutil.which("debootstrap") is None, reason="no debootstrap: apt-get install debootstrap"),
    pytest.mark.skipif(shutil.which("jlink") is None, reason="no jlink: apt-get install openjdk-17-jdk-headless"),
]
APART = """\
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -t tmpfs -o mode=1777 tmpfs "$1/opt/teamspark/work"
mount --rbind /dev "$1/dev"
echo localhost > /proc/sys/kernel/hostname
exec chroot --userspec=185:185 "$1" sh -c 'cd /opt/teamspark/work && exec "$@"' sh "${@:2}"
"""
SESSION = """\
from glob import glob
from framework.spark.archive import archive_home, is_mapped
from framework.spark.session import open_session
from framework.spark.settings import SessionSettings
from framework.jars.catalog import chosen, load_catalog
from framework.jars.place import jar_paths, jars_home
from importlib.metadata import version
(archive,) = archive_home().glob("*.jsa")
jars = [path for one in chosen(("s3a", "delta"), load_catalog()) for path in jar_paths(jars_home(), one)]
with open_session(SessionSettings("image", master="local[1]", archive_dir=archive_home())) as spark:
    rows = spark.range(10).count()
    mapped = any(is_mapped(int(path.split("/")[2]), archive) for path in glob("/proc/[0-9]*/cmdline"))
print("found", rows, mapped, len(jars), version("teamspark"))
"""
PLAIN = "from pyspark.sql import SparkSession as S; print('rows', S.builder.master('local[1]').getOrCreate().range(10).count())"
CHANGED = "from jobs.flights import delays; print(delays.CHANGED)"


@pytest.fixture(scope="module")
def builder() -> Builder:
    return Builder(os.environ, ROOT / "locks" / "jobs.txt", print)


@pytest.fixture(scope="module")
def spark(builder: Builder) -> Image:
    return build_spark(builder)


@pytest.fixture(scope="module")
def unpacked(builder: Builder, spark: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The image of a team whose code was changed after the first build, unpacked layer by layer."""
    workspace = tmp_path_factory.mktemp("workspace")
    shutil.copytree(ROOT / "jobs" / "flights", workspace / "jobs" / "flights")
    with TemporaryDirectory(
        dir=images_home(os.environ).parent, prefix="image-test-", ignore_cleanup_errors=True
    ) as name:
        out, root = Path(name) / "out", Path(name) / "root"
        out.mkdir()
        first = build_team(workspace, "flights", spark, builder=builder, output=out, thin=True)
        with (workspace / "jobs" / "flights" / "delays.py").open("a") as code:
            code.write("CHANGED = 'changed'\n")
        image = build_team(workspace, "flights", spark, builder=builder, output=out)
        assert image.name != first.name
        unpack(image.archive, root)
        image.archive.unlink()
        yield root


def unpack(archive: Path, root: Path) -> None:
    with tarfile.open(archive) as packed:
        index = json.load(packed.extractfile("index.json"))  # type: ignore[arg-type]
        manifest = json.load(packed.extractfile(blob(index["manifests"][0])))  # type: ignore[arg-type]
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=packed.extractfile(blob(layer))) as tar:
                tar.extractall(root, numeric_owner=True, filter="fully_trusted")


def blob(descriptor: dict[str, str]) -> str:
    return f"blobs/{descriptor['digest']}".replace(":", "/")


def inside(root: Path, *command: str) -> str:
    apart = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "bash", "-c", APART, "bash", str(root)]
    env = {**SETTINGS.env, "PATH": f"{SETTINGS.env['PATH']}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*apart, *SETTINGS.entrypoint, *command], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout[-2000:]} {done.stderr[-4000:]}"
    return done.stdout


def test_a_second_build_makes_nothing(builder: Builder, spark: Image) -> None:
    assert build_spark(builder) == spark


def test_it_runs_as_its_user_who_may_write_nothing_of_it(unpacked: Path) -> None:
    assert inside(unpacked, "id", "-u").strip() == "185"
    assert inside(unpacked, "find", "/usr", "/opt", "-perm", "/002", "!", "-type", "l").split() == [SETTINGS.workdir]
    assert inside(unpacked, "find", "/usr", "/opt", "-perm", "/6000", "-type", "f") == ""


def test_the_driver_answers(unpacked: Path) -> None:
    assert "--result" in inside(unpacked, "driver", "--help")


def test_the_driver_s_session_maps_the_archive_and_finds_its_jars(unpacked: Path) -> None:
    found = inside(unpacked, "python3", "-c", SESSION).splitlines()[-1].split()

    assert found[:3] == ["found", "10", "True"]
    assert int(found[3]) > 30


def test_spark_alone_runs(unpacked: Path) -> None:
    assert "rows 10" in inside(unpacked, "python3", "-c", PLAIN)


def test_the_team_s_code_is_the_changed_one(unpacked: Path) -> None:
    assert inside(unpacked, "python3", "-c", CHANGED).strip() == "changed"
