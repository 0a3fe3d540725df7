import os
from pathlib import Path
from typing import Any

import pytest

from framework.errors import SetupError
from framework.java import find_java, install_command, major_version


def fake_java(home: Path, version: str | None, *, code: int = 0) -> Path:
    """A folder that looks like a JDK whose ``java -version`` prints as the real ones do."""
    script = home / "bin" / "java"
    script.parent.mkdir(parents=True)
    line = f'openjdk version "{version}" 2025-04-15' if version else "Unrecognized option"
    script.write_text(f"#!/bin/sh\nprintf '%s\\n' '{line}' >&2\nexit {code}\n")
    script.chmod(0o755)
    return home


@pytest.mark.parametrize(
    ("text", "major"),
    [("17.0.15", 17), ("21", 21), ("21.0.1+12-LTS", 21), ("1.8.0_392", 8), ("11.0.22", 11), ("22-ea", 22), ("x", None)],
)
def test_major_version_reads_old_and_new_schemes(text: Any, major: Any) -> None:
    assert major_version(text) == major


@pytest.mark.parametrize("version", ["17.0.15", "21.0.3"])
def test_java_home_comes_before_path(tmp_path: Path, version: Any) -> None:
    home = fake_java(tmp_path / "home", version)
    other = fake_java(tmp_path / "other", "17.0.1")

    java = find_java({"JAVA_HOME": str(home), "PATH": str(other / "bin")})

    assert (java.home, java.version, java.source) == (home, version, "JAVA_HOME")


def test_path_is_used_when_java_home_is_too_old(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", "1.8.0_392")
    good = fake_java(tmp_path / "good", "17.0.1")

    java = find_java({"JAVA_HOME": str(old), "PATH": str(good / "bin")})

    assert (java.home, java.major, java.source) == (good, 17, "PATH")
    assert java.skipped == (f"JAVA_HOME: {old}/bin/java is Java 1.8.0_392",)


def test_links_are_followed_to_the_folder_that_holds_java(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "real", "21.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")

    assert find_java({"PATH": str(tmp_path / "bin")}).home == home


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [("11.0.2", 0, "is Java 11.0.2"), ("25.0.1", 0, "is Java 25.0.1"), (None, 1, "says nothing of a version")],
)
def test_unfit_java_is_refused_with_one_command(tmp_path: Path, version: Any, code: Any, said: Any) -> None:
    home = fake_java(tmp_path / "home", version, code=code)

    with pytest.raises(SetupError) as stop:
        find_java({"JAVA_HOME": str(home), "PATH": str(tmp_path / "nothing")})

    assert said in str(stop.value)
    assert "17 or 21" in str(stop.value)
    assert stop.value.next_step is not None
    assert stop.value.next_step.startswith("run: ")


@pytest.mark.parametrize("environ", [{}, {"JAVA_HOME": ""}, {"PATH": "/nonexistent"}])
def test_no_java_at_all_is_a_setup_error(environ: Any) -> None:
    with pytest.raises(SetupError, match="no java on PATH"):
        find_java({"PATH": "/nonexistent", **environ})


def test_java_home_without_a_java_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not run"):
        find_java({"JAVA_HOME": str(tmp_path), "PATH": "/nonexistent"})


def test_the_command_fits_the_machine(tmp_path: Path) -> None:
    tool = tmp_path / "apt-get"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)

    command = install_command({"PATH": str(tmp_path)})

    assert command.removeprefix("sudo ") == "apt-get install -y openjdk-17-jre-headless"
    assert command.startswith("sudo ") is (os.geteuid() != 0)
    assert "JAVA_HOME" in install_command({"PATH": "/nonexistent"})


def test_the_java_of_this_machine_is_found() -> None:
    java = find_java()

    assert java.executable.exists()
    assert java.version in java.banner
