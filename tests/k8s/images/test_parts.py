"""What parts are made of, how they are kept, and what a team's image takes in; nothing is fetched."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from framework.errors import ConfigError, SetupError
from framework.job.digest import tree_digest
from k8s.images.classes import MOVED, ONE_JAR, name_jars
from k8s.images.kept import Part, ensure_part, locked, sweep
from k8s.images.parts import PACKAGES, Builder
from k8s.images.running import require_tool, run
from k8s.images.spark import SETTINGS, Image, Place, written
from k8s.images.team import CODE_DIGEST, build_team, clashes, code_part
from k8s.images.trees import compiled, content_digest, readable, sources


def silent(_: str) -> None:
    pass


def builder(folder: Path, **environ: str) -> Builder:
    lock = folder / "jobs.txt"
    lock.write_text("pyarrow==26.0.1 \\\n    --hash=sha256:00\n")
    return Builder({"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(folder / "cache"), **environ}, lock, silent)


def workspace(root: Path) -> Path:
    for name, text in (
        ("flights/delays.py", "NUMBER = 1\n"),
        ("flights/deep/more.py", ""),
        ("flights/sources.yaml", "{}\n"),
        ("flights/fixtures/case/in.csv", "1\n"),
        ("flights/__pycache__/delays.cpython-311.pyc", "stale"),
        ("insights/weather.py", ""),
        ("shared/dates.py", ""),
    ):
        path = root / "jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def spark(folder: Path) -> Image:
    return written(Place(folder, "local/teamspark/spark"), [], SETTINGS)


def made_of(part: Part, tree: Path) -> list[str]:
    tree.mkdir()
    part.make(tree)
    return sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())


def test_a_part_is_made_once(tmp_path: Path) -> None:
    calls = []

    def make(tree: Path) -> None:
        calls.append(tree)
        (tree / "file").write_text("x")

    part = Part("one", "/one", ("1",), make)
    with locked(tmp_path):
        first, second = ensure_part(tmp_path, part, silent), ensure_part(tmp_path, part, silent)
        other = ensure_part(tmp_path, replace(part, inputs=("2",)), silent)

    assert first == second
    assert (first.layer.source / "file").read_text() == "x"
    assert other.layer.source != first.layer.source
    assert other.digest == first.digest  # its content is the same
    assert len(calls) == 2


def test_a_part_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def make(tree: Path) -> None:
        (tree / "half").write_text("")
        raise SetupError("it broke")

    with pytest.raises(SetupError, match="it broke"):
        ensure_part(tmp_path, Part("one", "/one", (), make), silent)
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_used_goes(tmp_path: Path) -> None:
    for name in ("old", "new", ".making-x"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", (1, 1))

    sweep(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_a_team_s_layer_is_its_code_and_what_teams_share(tmp_path: Path) -> None:
    part, _ = code_part(workspace(tmp_path), "flights")

    assert part.target == PACKAGES
    assert [name for name in made_of(part, tmp_path / "tree") if not name.endswith(".pyc")] == [
        "jobs/flights/deep/more.py", "jobs/flights/delays.py", "jobs/flights/sources.yaml", "jobs/shared/dates.py",
    ]  # fmt: skip


def test_the_digest_is_that_of_the_code(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    before = code_part(root, "flights")[1]

    (root / "jobs" / "insights" / "weather.py").write_text("changed")
    (root / "jobs" / "flights" / "fixtures" / "case" / "in.csv").write_text("changed")
    unconcerned = code_part(root, "flights")[1]
    (root / "jobs" / "flights" / "delays.py").rename(root / "jobs" / "flights" / "late.py")

    assert unconcerned == before
    assert code_part(root, "flights")[1] != before


def test_in_the_image_the_code_has_that_digest(tmp_path: Path) -> None:
    part, digest = code_part(workspace(tmp_path), "flights")
    made_of(part, tmp_path / "tree")

    assert tree_digest(tmp_path / "tree" / "jobs", "flights") == digest


def test_a_team_without_jobs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no jobs"):
        code_part(workspace(tmp_path), "nobody")


def test_a_link_is_not_taken(tmp_path: Path) -> None:
    (workspace(tmp_path) / "jobs" / "flights" / "secret.py").symlink_to("/etc/passwd")

    with pytest.raises(ConfigError, match="a link"):
        code_part(tmp_path, "flights")


@pytest.mark.parametrize("thin", [False, True])
def test_a_team_s_image_is_called_after_its_content(tmp_path: Path, thin: bool) -> None:
    root, by = workspace(tmp_path), builder(tmp_path)
    out = tmp_path / "out"
    out.mkdir()

    first = build_team(root, "flights", spark(tmp_path), builder=by, output=out, thin=thin)
    again = build_team(root, "flights", spark(tmp_path), builder=by, output=out, thin=thin)
    (root / "jobs" / "flights" / "delays.py").write_text("NUMBER = 2\n")
    changed = build_team(root, "flights", spark(tmp_path), builder=by, output=out, thin=thin)

    assert first == again
    assert first.name.startswith("local/teamspark/flights/jobs:")
    assert changed.name != first.name
    assert {path.name for path in out.iterdir()} == {first.archive.name, changed.archive.name}
    assert CODE_DIGEST.encode() in changed.archive.read_bytes()


def test_of_one_image_two_archives_stay(tmp_path: Path) -> None:
    images = [
        written(Place(tmp_path, "local/teamspark/spark"), [], replace(SETTINGS, labels={"n": str(number)}))
        for number in range(4)
    ]

    kept = {path for path in tmp_path.iterdir() if path.suffix == ".tar"}
    assert len(kept) == 2
    assert images[-1].archive in kept


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        ("pyarrow==26.0.1 \\\n  --hash=sha256:00", []),
        ("tqdm==4.0 --hash=sha256:00", []),
        ("PyArrow==1 \\\n --hash=sha256:00", ["PyArrow==1: the platform has 26.0.1"]),
        ("typing_extensions[x]==1", ["typing_extensions==1: the platform has 4.16.0"]),
    ],
)
def test_packages_of_the_platform_stay(ours: str, expected: list[str]) -> None:
    assert clashes(ours, "pyarrow==26.0.1 \\\n    --hash=sha256:00\ntyping-extensions==4.16.0\n") == expected


def test_a_team_that_replaces_a_package_is_told(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "jobs" / "flights" / "requirements.txt").write_text("pyarrow==1 --hash=sha256:00\n")

    with pytest.raises(ConfigError, match="may not replace") as told:
        build_team(root, "flights", spark(tmp_path), builder=builder(tmp_path))
    assert "pyarrow==1: the platform has 26.0.1" in str(told.value)


def test_packages_without_hashes_are_refused(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "jobs" / "flights" / "requirements.txt").write_text("tqdm==4.67.1\n")

    with pytest.raises(ConfigError, match=r"packages of requirements\.txt"):
        build_team(root, "flights", spark(tmp_path), builder=builder(tmp_path))


def test_a_lock_that_is_not_there_is_told(tmp_path: Path) -> None:
    by = builder(tmp_path)
    by.lock.unlink()

    with pytest.raises(ConfigError, match="cannot be read"):
        by.packages()


def test_a_part_s_name_changes_with_what_it_is_made_of(tmp_path: Path) -> None:
    by = builder(tmp_path)
    before = by.packages().stem
    by.lock.write_text(by.lock.read_text() + "\n")

    assert by.packages().stem != before
    assert by.debian().stem == by.debian().stem
    assert len(by.framework().inputs[0]) == 64


@pytest.mark.parametrize("tool", ["debootstrap", "unshare"])
def test_a_tool_that_is_missing_is_told(tool: str) -> None:
    with pytest.raises(SetupError, match=f"no {tool} on PATH"):
        require_tool(tool, {"PATH": "/nowhere"}, "install it")


def test_without_debootstrap_no_debian(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no debootstrap"):
        builder(tmp_path, PATH="/nowhere").debian().make(tmp_path)


def test_what_a_program_said_last_is_told() -> None:
    environ: Mapping[str, str] = {"PATH": os.environ["PATH"]}

    with pytest.raises(SetupError, match="no thing") as told:
        run(["/bin/sh", "-c", "echo the reason >&2; exit 3"], environ, what="no thing")
    assert "sh ended with 3" in str(told.value)
    assert "the reason" in str(told.value)


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(SetupError, match="did not run"):
        run(["/nowhere/tool"], {}, what="no thing")


def test_one_jar_names_all_jars_slf4j_first(tmp_path: Path) -> None:
    (tmp_path / "jars").mkdir()
    names = [f"{letter * 40}.jar" for letter in "cab"] + ["slf4j-api-2.0.jar"]
    for name in names:
        (tmp_path / "jars" / name).write_text("")

    name_jars(tmp_path)

    assert [path.name for path in (tmp_path / "jars").iterdir()] == [ONE_JAR]
    assert sorted(path.name for path in (tmp_path / MOVED).iterdir()) == sorted(names)
    assert {path.stat().st_mtime for path in (tmp_path / MOVED).iterdir()} == {0}
    with zipfile.ZipFile(tmp_path / "jars" / ONE_JAR) as jar:
        text = jar.read("META-INF/MANIFEST.MF").decode()
    assert all(len(line) <= 70 for line in text.split("\r\n"))
    named = text.replace("\r\n ", "").split("Class-Path: ")[1].split()
    assert named == [f"../{MOVED}/{name}" for name in ("slf4j-api-2.0.jar", *sorted(names[:3]))]


def test_sources_are_what_somebody_wrote(tmp_path: Path) -> None:
    root = workspace(tmp_path) / "jobs" / "flights"

    assert [path.name for path in sources(root, ("fixtures",))] == ["more.py", "delays.py", "sources.yaml"]
    assert content_digest(root) != content_digest(root, list(sources(root, ("fixtures",))))


def test_byte_code_names_its_place_in_the_image_and_has_no_time(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("NUMBER = 1\n")

    compiled(tmp_path, within=tmp_path, at="/opt/x")

    (code,) = (tmp_path / "__pycache__").iterdir()
    assert code.read_bytes()[4:8] == b"\1\0\0\0"  # known by its hash, which nobody checks
    assert b"/opt/x/a.py" in code.read_bytes()


OURS = "from k8s.images.trees import compiled; compiled(tree, within=tree, at='/x')"
PLAIN = "import compileall; compileall.compile_dir(tree, quiet=2, stripdir=tree, prependdir='/x')"
MET = "[sys.intern(mark) for mark in '!,;']; "


@pytest.mark.parametrize(("program", "same"), [(OURS, True), (PLAIN, False)], ids=["ours", "Python's own"])
def test_byte_code_is_the_same_whoever_makes_it(tmp_path: Path, program: str, same: bool) -> None:
    """Python writes a letter otherwise when the process knows it as a name."""
    made = set()
    for name, before in (("new", ""), ("met", MET)):
        tree = tmp_path / name
        tree.mkdir()
        (tree / "a.py").write_text("MARKS = ['!', ',', ';']\n")
        text = f"import sys; from pathlib import Path; tree = Path(sys.argv[1]); {before}{program}"
        subprocess.run([sys.executable, "-c", text, tree], check=True)
        (code,) = (tree / "__pycache__").iterdir()
        made.add(code.read_bytes()[16:])

    assert (len(made) == 1) is same


def test_everybody_may_read_what_a_strict_umask_made(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)
    for name, mode in (("tool", 0o700), ("data", 0o600)):
        (tmp_path / "d" / name).write_text("")
        (tmp_path / "d" / name).chmod(mode)

    readable(tmp_path)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "d", *(tmp_path / "d").iterdir())}
    assert modes == {"d": 0o755, "tool": 0o755, "data": 0o644}
