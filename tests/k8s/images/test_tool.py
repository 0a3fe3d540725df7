"""Images of tools over nothing: what they are called, what is in them, and that a change is one."""

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framework.cli.scope import Scope
from framework.errors import ConfigError
from k8s.images.blobs import read_base
from k8s.images.command import app
from k8s.images.parts import Builder
from k8s.images.spark import Image
from k8s.images.tool import Tool, build_tool, folder_part

Build = Callable[..., Image]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "score"
    folder.mkdir()
    (folder / "score").write_text("#!/bin/sh\n")
    (folder / "score").chmod(0o644)
    return folder


@pytest.fixture
def build(tmp_path: Path, folder: Path) -> Build:
    environ = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def build(name: str = "score", *words: str) -> Image:
        builder = Builder(environ, tmp_path / "no-lock", print)
        parts = (folder_part("tool-score", folder),)
        return build_tool(builder, Tool("flights", name, parts, words or ("/opt/tool/score",)))

    return build


def test_it_is_made_once_and_called_after_its_content(build: Build, folder: Path) -> None:
    first, again = build(), build()
    (folder / "score").write_text("#!/bin/sh\nexit 1\n")

    assert first == again
    assert first.name.startswith("local/teamspark/flights/score:")
    assert build().name != first.name


def test_a_file_that_may_be_run_now_is_another_image(build: Build, folder: Path) -> None:
    before = build()
    (folder / "score").chmod(0o755)
    after = build()

    assert before.name != after.name
    assert modes(before)["opt/tool/score"] == 0o644
    assert modes(after)["opt/tool/score"] == 0o755


def modes(image: Image) -> dict[str, int]:
    (layer,) = read_base(image.archive, None)
    with tarfile.open(image.archive) as packed:
        content = packed.extractfile(f"blobs/{layer['digest']}".replace(":", "/"))
        with tarfile.open(fileobj=content) as tree:
            return {one.name: one.mode for one in tree}


@pytest.mark.parametrize("name", ["Score", "score-", "-score", "1", "", "a/b", "jobs", "s" * 64])
def test_a_name_that_is_none_is_refused(build: Build, name: str) -> None:
    with pytest.raises(ConfigError, match="an image of a tool has a name"):
        build(name)


SCRIPT, STATIC = b"#!/bin/sh\n", b"\x7fELF and no loader"
DYNAMIC = b"\x7fELF\x00/lib64/ld-linux-x86-64.so.2\x00"
TEAM = """\
team: flights
owners: [a@example.org]
store: {kind: directory, root: store}
image: registry.example.org/flights/jobs:1
images: [registry.example.org/flights/*]
quota: {cpu: 4, memory: 8Gi, pods: 10}
limits: {driver: {cpu: 1, memory: 1Gi}, executor: {cpu: 1, memory: 1Gi}, max_executors: 2}
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody", "score"], "nobody"),
        (["flights", "score", "--prefix", "Registry/Path"], "no image can be called so"),
        (["flights", "score", "--prefix", "registry.example.org/flights:1"], "no image can be called so"),
        (["flights", "score", "--to", "registry.example.org/insights/score"], "runs no image of this team from there"),
        (["flights", "score", "--entrypoint", "/opt/tool/scor"], "/opt/tool/scor: there is no"),
        (["flights", "score", "--entrypoint", "/opt/tool/score"], "may not be run; chmod +x"),
        (["flights", "score", "--entrypoint", "./score"], "it starts in /"),
        (["flights", "score", "--entrypoint", "sh /opt/tool/score"], "a bare image has nothing but /opt/tool"),
        (["flights", "score", "--entrypoint", "/opt/tool/.env"], "names that begin with a dot are not taken"),
        (
            ["flights", "score", "--entrypoint", "/opt/tool/../tool/score"],
            "needs /bin/sh, and a bare image has nothing",
        ),
        (["flights", "score", "--entrypoint", "/opt/tool/score"], "needs /lib64/ld-linux-x86-64.so.2, and a bare"),
        (["flights", "score", "--prefix", ""], "no image can be called so"),
    ],
)
def test_what_could_not_run_is_told_before_anything_is_built(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(TEAM)
    (folder / ".env").write_text("KEY=hunter2")
    (folder / "score").write_bytes(SCRIPT if "needs /bin" in told else DYNAMIC if "needs /lib" in told else STATIC)
    (folder / "score").chmod(0o644 if "may not" in told else 0o755)
    entry = [] if "--entrypoint" in words else ["--entrypoint", "/opt/tool/score"]

    done = CliRunner().invoke(app, ["tool", *words, "--from", str(folder), "--bare", *entry], obj=Scope(tmp_path))

    assert isinstance(done.exception, ConfigError)
    assert told in str(done.exception)
    assert not (tmp_path / "cache").exists()


def test_what_nobody_means_to_ship_stays_out_and_is_named(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(TEAM)
    (folder / "score").write_bytes(STATIC)
    (folder / "score").chmod(0o755)
    (folder / "deep").mkdir()
    (folder / "deep" / ".env").write_text("KEY=hunter2")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("url = https://me:hunter2@example.org")
    (folder / ".env").write_text("KEY=hunter2")
    words = ["tool", "flights", "score", "--from", str(folder), "--bare", "--entrypoint", "/opt/tool/score", "--json"]

    done = CliRunner().invoke(app, words, obj=Scope(tmp_path))

    assert done.exit_code == 0, done.exception
    assert "left out: .env, .git, deep/.env" in done.stderr
    with tarfile.open(json.loads(done.stdout)["archive"]) as packed:
        layers = [packed.extractfile(one) for one in packed.getmembers() if one.isfile()]
        assert not [one for one in layers if one and b"hunter2" in one.read()]


def test_a_quote_without_an_end_is_told(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    words = ["tool", "flights", "score", "--from", str(folder), "--bare", "--entrypoint", "sh -c 'x"]
    done = CliRunner().invoke(app, words, obj=Scope(tmp_path))

    assert isinstance(done.exception, ConfigError)
    assert "--entrypoint" in str(done.exception)
    assert not (tmp_path / "cache").exists()
