import hashlib
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from framework.errors import ConfigError, SetupError
from k8s.images.oci import Layer, Settings, write_image

NAME = "registry.example.org/flights/jobs:1"
SETTINGS = Settings(env={"B": "2", "A": "1"}, user="185:185", workdir="/work", entrypoint=("/run", "-s"), labels={"x": "y"})  # fmt: skip


def tree(root: Path) -> Path:
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o755)
    (root / "data").write_bytes(b"d" * 70_000)
    (root / "data").chmod(0o640)
    (root / "link").symlink_to("bin/tool")
    (root / ("long" * 40)).write_text("a name that needs a header of its own")
    return root


def read(archive: Path) -> tuple[dict[str, bytes], dict[str, Any], dict[str, Any]]:
    with tarfile.open(archive) as packed:
        members = {one.name: packed.extractfile(one).read() for one in packed}  # type: ignore[union-attr]
    index = json.loads(members["index.json"])
    manifest = json.loads(members[blob(index["manifests"][0])])
    return members, index, manifest


def blob(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest']}".replace(":", "/")


def files(archive: Path, number: int, folder: Path) -> list[tarfile.TarInfo]:
    members, _, manifest = read(archive)
    packed = folder / f"layer{number}.tar"
    packed.write_bytes(members[blob(manifest["layers"][number])])
    with tarfile.open(packed) as tar:
        return tar.getmembers()


def test_the_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one"), tree(tmp_path / "other")
    os.utime(other / "data", (1, 1))

    first = write_image(tmp_path / "1.tar", NAME, [Layer(one, "/opt/x")], SETTINGS)
    second = write_image(tmp_path / "2.tar", NAME, [Layer(other, "/opt/x")], SETTINGS)

    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.tar", "2.tar", "one", "other"]


def test_every_digest_is_that_of_its_content(tmp_path: Path) -> None:
    digest = write_image(
        tmp_path / "i.tar", NAME, [Layer(tree(tmp_path / "t"), "/"), Layer(tmp_path / "t" / "bin", "/b")], SETTINGS
    )

    members, index, manifest = read(tmp_path / "i.tar")
    blobs = {name: content for name, content in members.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(content).hexdigest() == Path(name).name for name, content in blobs.items())
    assert len(blobs) == 4
    assert index["manifests"][0]["digest"] == digest
    named = [index["manifests"][0], manifest["config"], *manifest["layers"]]
    assert all(len(members[blob(one)]) == one["size"] for one in named)
    config = json.loads(members[blob(manifest["config"])])
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]
    assert json.loads(members["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


def test_settings_and_name_are_in_it(tmp_path: Path) -> None:
    write_image(tmp_path / "i.tar", NAME, [], SETTINGS)

    members, index, manifest = read(tmp_path / "i.tar")
    config = json.loads(members[blob(manifest["config"])])["config"]
    assert config["Env"][:2] == ["A=1", "B=2"]
    assert config["Env"][2].startswith("PATH=/usr/local/sbin:")
    assert (config["User"], config["WorkingDir"], config["Entrypoint"]) == ("185:185", "/work", ["/run", "-s"])
    assert config["Labels"] == {"x": "y"}
    assert index["manifests"][0]["annotations"] == {
        "io.containerd.image.name": NAME,
        "org.opencontainers.image.ref.name": "1",
    }


def test_kinds_modes_and_owners(tmp_path: Path) -> None:
    write_image(tmp_path / "i.tar", NAME, [Layer(tree(tmp_path / "t"), "/opt/x")], SETTINGS)

    found = files(tmp_path / "i.tar", 0, tmp_path)
    assert [one.name for one in found] == [
        "opt/x", "opt/x/bin", "opt/x/bin/tool", "opt/x/data", "opt/x/link", "opt/x/" + "long" * 40,
    ]  # fmt: skip
    by_name = {Path(one.name).name: one for one in found}
    assert (by_name["tool"].mode, by_name["data"].mode, by_name["data"].size) == (0o755, 0o640, 70_000)
    assert (by_name["link"].issym(), by_name["link"].linkname) == (True, "bin/tool")
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in found} == {(0, 0, "", "", 0)}


def test_names_of_one_file_are_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a").write_text("content")
    os.link(tmp_path / "t" / "a", tmp_path / "t" / "b")

    write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path / "t", "/")], SETTINGS)

    assert [(one.name, one.isreg(), one.size) for one in files(tmp_path / "i.tar", 0, tmp_path)] == [
        ("a", True, 7), ("b", True, 7),
    ]  # fmt: skip


def test_a_file_becomes_the_target_itself(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")

    write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path / "f", "/opt/entrypoint")], SETTINGS)

    assert [(one.name, one.isreg()) for one in files(tmp_path / "i.tar", 0, tmp_path)] == [("opt/entrypoint", True)]


def test_layers_of_the_base_come_first(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one"), tmp_path / "two"
    two.write_text("2")
    write_image(tmp_path / "base.tar", NAME, [Layer(one, "/one")], Settings(env={"GONE": "1"}))

    write_image(tmp_path / "top.tar", NAME + "0", [Layer(two, "/two")], SETTINGS, base=tmp_path / "base.tar")

    _, _, below = read(tmp_path / "base.tar")
    members, _, manifest = read(tmp_path / "top.tar")
    assert manifest["layers"][:1] == below["layers"]
    assert len(manifest["layers"]) == 2
    assert members[blob(manifest["layers"][0])] == read(tmp_path / "base.tar")[0][blob(below["layers"][0])]
    config = json.loads(members[blob(manifest["config"])])
    assert len(config["rootfs"]["diff_ids"]) == 2
    assert not [one for one in config["config"]["Env"] if one.startswith("GONE")]


def test_the_same_layer_twice_is_stored_once(tmp_path: Path) -> None:
    layer = Layer(tree(tmp_path / "t"), "/opt/x")

    write_image(tmp_path / "i.tar", NAME, [layer, layer], SETTINGS)

    with tarfile.open(tmp_path / "i.tar") as packed:
        names = packed.getnames()
    assert len(names) == len(set(names)) == 5
    assert len(read(tmp_path / "i.tar")[2]["layers"]) == 2


@pytest.mark.parametrize("content", [b"", b"no archive", b"\0" * 1024])
def test_a_base_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "base.tar").write_bytes(content)

    with pytest.raises(ConfigError, match="none of ours"):
        write_image(tmp_path / "i.tar", NAME, [], SETTINGS, base=tmp_path / "base.tar")
    assert not (tmp_path / "i.tar").exists()


def test_a_base_that_was_changed_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "base.tar"
    write_image(base, NAME, [Layer(tree(tmp_path / "t"), "/opt/x")], SETTINGS)
    base.write_bytes(base.read_bytes().replace(b"d" * 1000, b"e" * 1000, 1))

    with pytest.raises(ConfigError, match="other content"):
        write_image(tmp_path / "i.tar", NAME, [], SETTINGS, base=base)


@pytest.mark.parametrize("name", [".wh.x", ".wh..wh..opq"])
def test_a_name_that_deletes_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "t" / "deep").mkdir(parents=True)
    (tmp_path / "t" / "deep" / name).write_text("")

    with pytest.raises(ConfigError, match="would delete another"):
        write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path / "t", "/")], SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    os.mkfifo(tmp_path / "t" / "pipe")

    with pytest.raises(ConfigError, match="files, folders and links"):
        write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path / "t", "/")], SETTINGS)


def test_a_source_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path / "t", "/opt/x")], SETTINGS)


def test_a_source_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    source = Path("/sys/kernel/uevent_seqnum")  # says that it has a page, and has less
    if not source.exists():
        pytest.skip("no sysfs here")

    with pytest.raises(SetupError, match="cannot be read"):
        write_image(tmp_path / "i.tar", NAME, [Layer(source, "/opt/x")], SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match="cannot be written"):
        write_image(tmp_path / "file" / "i.tar", NAME, [], SETTINGS)


@pytest.mark.parametrize("name", ["jobs:1", "registry/jobs", "registry:5000/jobs", "registry/jobs:"])
def test_a_name_without_a_registry_or_tag_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name with a tag"):
        write_image(tmp_path / "i.tar", name, [], SETTINGS)


@pytest.mark.parametrize("target", ["opt/x", "/opt/../etc", ""])
def test_a_target_that_is_no_folder_of_the_image_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(ConfigError, match="becomes a folder"):
        write_image(tmp_path / "i.tar", NAME, [Layer(tmp_path, target)], SETTINGS)
