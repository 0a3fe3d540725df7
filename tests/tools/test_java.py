"""Finding a Java before there is a Python: on a machine made of a few programs and scripts that stand for others."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("bash", "sed", "head", "cat", "chmod")


class Machine:
    """A ``PATH`` of one folder."""

    def __init__(self, place: Path) -> None:
        self.bin = place / "bin"
        self.bin.mkdir()
        for name in NEEDED:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.program("id", "echo 1000")

    def program(self, name: str, body: str) -> None:
        file = self.bin / name
        file.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        file.chmod(0o755)

    def java(self, version: str) -> None:
        self.program("java", f"echo 'openjdk version \"{version}\" 2025-01-01' >&2")

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": str(self.bin), **environment}
        return subprocess.run([ROOT / "tools" / "java"], env=variables, capture_output=True, text=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("version", ["17.0.15", "21.0.3", "21"])
def test_a_java_of_the_path_will_do(machine: Machine, version: str) -> None:
    machine.java(version)

    done = machine.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_java_home_will_do(machine: Machine, tmp_path: Path) -> None:
    machine.java("17.0.15")
    (tmp_path / "a jdk").mkdir()
    machine.bin.joinpath("java").rename(tmp_path / "a jdk" / "java")
    (tmp_path / "a jdk" / "bin").symlink_to(tmp_path / "a jdk")

    assert machine.run().returncode == 1
    assert machine.run(JAVA_HOME=str(tmp_path / "a jdk")).returncode == 0


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2", "22.0.1", "170"])
def test_another_java_is_refused_with_one_command(machine: Machine, version: str) -> None:
    machine.java(version)
    machine.program("apt-get", "exit 1")

    done = machine.run()

    assert done.returncode == 1
    assert "next: sudo apt-get install openjdk-17-jre-headless\n" in done.stderr


def test_without_apt_it_says_what_to_look_for(machine: Machine) -> None:
    done = machine.run(JAVA_HOME="/nowhere")

    assert done.returncode == 1
    assert "JAVA_HOME (/nowhere)" in done.stderr
    assert "point JAVA_HOME at it" in done.stderr


def test_root_with_apt_installs_the_first_that_there_is(machine: Machine) -> None:
    machine.program("id", "echo 0")
    java = machine.bin / "java"
    machine.program(
        "apt-get",
        f"""[[ "$*" == *openjdk-17* ]] && exit 100
        [[ "$*" == *openjdk-21* ]] || exit 0
        echo '#!{shutil.which("bash")}' > '{java}'
        echo "echo 'openjdk version \\"21.0.3\\"' >&2" >> '{java}'
        chmod +x '{java}'""",
    )

    done = machine.run()

    assert done.returncode == 0, done.stderr
    assert "installing openjdk-21-jre-headless" in done.stdout


def test_an_install_that_fails_is_an_error(machine: Machine) -> None:
    machine.program("id", "echo 0")
    machine.program("apt-get", "exit 100")

    done = machine.run()

    assert done.returncode == 1
    assert "next: apt-get install openjdk-17-jre-headless\n" in done.stderr
