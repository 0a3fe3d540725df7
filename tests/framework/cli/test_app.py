"""The root command: fast help, errors as messages with their exit codes, plugins that may be broken."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from framework.cli import app as root
from framework.cli.app import BUILTINS, app
from framework.cli.plugins import Plugin, installed_plugins
from framework.errors import (
    CheckFailed,
    ConfigError,
    DefinitionError,
    NotYet,
    PathError,
    PolicyError,
    SetupError,
    StoreUnavailable,
    Superseded,
    TeamsparkError,
)

ROOT = Path(__file__).resolve().parents[3]


def program(
    *arguments: str, code: str = "from framework.cli import main; main()"
) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, in the repository."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_help_names_every_command_and_the_exit_codes() -> None:
    done = CliRunner().invoke(app, ["--help"])

    assert done.exit_code == 0
    assert [name for name in BUILTINS if name not in done.stdout] == []
    assert all(f"{code} " in done.stdout for code in (0, 1, 2, 64, 65, 74, 75, 130))


def test_help_imports_neither_pyspark_nor_airflow_nor_pyarrow() -> None:
    heavy = ("pyspark", "py4j", "airflow", "pyarrow", "pandas", "kubernetes", "boto3")
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from framework.cli import main; main()"
    )

    done = program("--help", code=code)

    loaded = json.loads(done.stderr)
    assert done.returncode == 0
    assert [name for name in loaded if name.partition(".")[0] in heavy] == []
    assert "framework.cli.app" in loaded


@pytest.mark.parametrize("name", BUILTINS)
def test_every_command_has_help(name: str) -> None:
    done = CliRunner().invoke(app, [name, "--help"])

    assert done.exit_code == 0
    assert "Usage" in done.stdout


def test_a_mistyped_command_is_told_the_nearest() -> None:
    done = CliRunner().invoke(app, ["docter"])

    assert done.exit_code == 2
    assert "doctor" in done.stderr


ERRORS = [
    (ConfigError("wrong"), 64),
    (DefinitionError("wrong"), 65),
    (PathError("wrong"), 65),
    (PolicyError("wrong"), 65),
    (SetupError("wrong"), 65),
    (CheckFailed("wrong", failed={"default.a.ge": 1}), 65),
    (StoreUnavailable("wrong"), 74),
    (Superseded("wrong"), 74),
    (NotYet("wrong"), 75),
]


def failing(error: BaseException) -> typer.Typer:
    """The root as it is, with one command that raises."""
    other = typer.Typer(cls=root.Root, pretty_exceptions_enable=False)
    other.callback()(root.root)

    @other.command("fail")
    def fail() -> None:
        raise error

    return other


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda value: type(value).__name__)
def test_an_error_becomes_its_message_and_its_exit_code(error: TeamsparkError, code: int) -> None:
    done = CliRunner().invoke(failing(error), ["fail"])

    assert done.exit_code == code
    assert done.stdout == ""
    assert done.stderr == f"{error}\n"


def test_debug_shows_the_traceback_too() -> None:
    done = CliRunner().invoke(failing(ConfigError("wrong")), ["--debug", "fail"])

    assert done.exit_code == 64
    assert "Traceback" in done.stderr


def test_a_mistake_of_ours_is_not_hidden() -> None:
    done = CliRunner().invoke(failing(ZeroDivisionError("ours")), ["fail"])

    assert isinstance(done.exception, ZeroDivisionError)


def test_markup_in_a_message_is_text() -> None:
    done = CliRunner().invoke(failing(ConfigError("[bold]not markup[/bold] :smile:")), ["fail"])

    assert done.stderr == "[bold]not markup[/bold] :smile:\n"


def test_an_interrupt_is_told_by_its_exit_code() -> None:
    done = CliRunner().invoke(failing(KeyboardInterrupt()), ["fail"])

    assert done.exit_code == 130


def test_no_workspace_is_an_error_that_says_what_makes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, ["jobs", "list"])

    assert done.exit_code == 64
    assert "k8s/teams" in done.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    code = "import sys; from framework.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "path", "explain", "flights/a.b/c/2013-01-01", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read().decode()
        process.wait(timeout=60)

    assert "Traceback" not in told


def entry(value: str, name: str = "extra") -> EntryPoint:
    return EntryPoint(name, value, "teamspark.commands")


def test_a_plugin_is_loaded_when_it_is_called() -> None:
    plugin = Plugin("extra", entry("framework.cli.commands.path:app"))

    assert isinstance(plugin.load(), typer.Typer)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("no_such_module_anywhere:app", "ModuleNotFoundError"),
        ("framework.cli.commands.path:nothing", "AttributeError"),
        ("framework.errors:MAX_LINES", "int"),
    ],
)
def test_a_broken_plugin_says_what_is_wrong(value: str, told: str) -> None:
    plugin = Plugin("extra", entry(value))

    with pytest.raises(SetupError) as stop:
        plugin.load()

    assert told in str(stop.value)
    assert value in str(stop.value)


def test_of_two_plugins_with_one_name_one_is_there() -> None:
    found = installed_plugins([entry("a:app"), entry("b:app"), entry("c:app", "another")])

    assert [(plugin.name, plugin.entry.value) for plugin in found] == [("another", "c:app"), ("extra", "a:app")]


def offer(place: Path, lines: str) -> None:
    """Install a distribution that offers sub-commands, in a folder for ``sys.path``."""
    info = place / "offering-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[teamspark.commands]\n{lines}\n")


def test_a_broken_plugin_takes_no_other_command_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "shattered = no_such_module_anywhere:app")
    monkeypatch.syspath_prepend(tmp_path)

    helped = CliRunner().invoke(app, ["--help"])
    called = CliRunner().invoke(app, ["shattered", "--any", "thing"])

    assert helped.exit_code == 0
    assert "shattered" in helped.stdout
    assert called.exit_code == 65
    assert "no_such_module_anywhere" in called.stderr


def test_an_installed_plugin_runs_behind_the_same_border(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "offered = offered_by_a_test:app")
    (tmp_path / "offered_by_a_test.py").write_text(
        "import typer\nfrom framework.errors import NotYet\napp = typer.Typer()\n"
        "@app.command()\ndef offered() -> None:\n    raise NotYet('not today')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    done = CliRunner().invoke(app, ["offered"])

    assert (done.exit_code, done.stderr) == (75, "not today\n")


def test_a_plugin_cannot_replace_a_command_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "doctor = no_such_module_anywhere:app")
    monkeypatch.syspath_prepend(tmp_path)

    done = CliRunner().invoke(app, ["doctor", "--help"])

    assert done.exit_code == 0
    assert "with the fix" in done.stdout
