"""Which files ``teamspark new`` would write, as values; and the one function that writes them, never over another."""

import json
import keyword
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from framework.cli import templates
from framework.cli.addresses import OutputAddress
from framework.errors import ConfigError
from framework.identity import check_team
from framework.job import JobContract

# Words of one letter would not survive the way to a class name and back: a_b_c, ABC, abc.
_NAME: Final = re.compile(r"[a-z][a-z0-9]+(?:_[a-z][a-z0-9]+)*")
_OWNER: Final = re.compile(r"[^@\s,\[\]{}:#]+@[^@\s,\[\]{}:#]+")
_ROOT: Final = re.compile(r"[\w./-]+")
# A job's module may not take these names: files of the team that mean something else.
_TAKEN: Final = frozenset({"schemas", "sources", "fixtures"})
CASE_NAME: Final = "two_days"


@dataclass(frozen=True, slots=True)
class Scaffold:
    """Files to make, by their place in the workspace; ``append``: text to add to files that may be there.

    ``next_steps`` is what a person does then, a line each.
    """

    files: Mapping[str, str]
    next_steps: tuple[str, ...]
    append: Mapping[str, str] | None = None


def check_name(name: str, *, what: str) -> str:
    """``name`` if a module may be called so. Raises: ConfigError."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in _TAKEN or len(name) > 60:
        raise ConfigError(
            f"not the name of a {what}",
            got=name,
            expected="snake_case: words of two and more letters and digits, joined by _; no word of Python's, and not "
            + ", ".join(sorted(_TAKEN)),
        )
    return name


def class_of(name: str) -> str:
    """``daily_totals`` -> ``DailyTotals``."""
    return "".join(part.capitalize() for part in name.split("_"))


def new_team(name: str, *, owner: str, root: str) -> Scaffold:
    """A team file. Raises: ConfigError."""
    check_team(name)
    if not _OWNER.fullmatch(owner):
        raise ConfigError("not an owner's address", got=owner, expected="someone@example.org")
    if not _ROOT.fullmatch(root):
        raise ConfigError("not a directory for outputs", got=root, expected="letters, digits and . _ - /")
    text = templates.TEAM.substitute(team=name, owner=owner, root=root)
    return Scaffold({f"k8s/teams/{name}.yaml": text}, (f"write its first job: teamspark new job {name} totals",))


def new_job(workspace: Path, team: str, name: str, *, source: bool) -> Scaffold:
    """A job with schemas, a fixture and, with ``source``, an entry in the team's ``sources.yaml``.

    Raises: ConfigError.
    """
    check_name(name, what="job")
    folder = f"jobs/{team}"
    # A team's schemas.py is its own; what is there stays as it is.
    schemas = f"{name}_schemas" if (workspace / folder / "schemas.py").exists() else "schemas"
    words = {"team": team, "name": name, "Name": class_of(name), "schemas": schemas}
    job = templates.JOB.substitute(words, typing=templates.JOB_TYPING, **_port(words, source=source))
    port = "rows"
    case = f"{folder}/fixtures/{name}/{CASE_NAME}"
    files = {
        f"{folder}/{schemas}.py": templates.SCHEMAS.substitute(words),
        f"{folder}/{name}.py": job,
        f"{case}/case.yaml": templates.CASE,
        f"{case}/in.{port}.csv": templates.ROWS_IN,
        f"{case}/out.default.csv": templates.ROWS_OUT,
    }
    steps = (
        f"try it: teamspark run jobs.{team}.{name}:{words['Name']} --fixtures {case}",
        f"schedule it: teamspark new dag {team} {name}",
    )
    return Scaffold(files, steps, _source_entry(workspace, folder, words) if source else None)


def _port(words: Mapping[str, str], *, source: bool) -> dict[str, str]:
    frame = "Frame[Amount]"
    if not source:
        return {"port": frame, "names": "Frame, Job, Run"}
    return {"port": f'Annotated[{frame}, Source("{words["name"]}")]', "names": "Frame, Job, Run, Source"}


def _source_entry(workspace: Path, folder: str, words: Mapping[str, str]) -> dict[str, str] | None:
    """The line for ``sources.yaml``; None when the team has such a source. Raises: ConfigError."""
    path = workspace / folder / "sources.yaml"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    try:
        known: Any = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(path), got=str(error), next_step="mend it first") from error
    if words["name"] in known:
        return None
    gap = "\n" if text and not text.endswith("\n") else ""
    return {f"{folder}/sources.yaml": gap + templates.SOURCE.substitute(words)}


def new_dag(team: str, name: str, contract: JobContract, inputs: Mapping[str, OutputAddress]) -> Scaffold:
    """A DAG of one task that runs the contract's job; ``inputs`` feeds its ports from other tasks.

    Raises: ConfigError naming every port that nothing feeds, or that there is not.
    """
    check_name(name, what="DAG")
    _require_fed(contract, inputs)
    arguments = [f'task_id="{name}"', f'job="{contract.job}"']
    if inputs:
        arguments.append("inputs=" + _block("{", [f'"{p}": {_upstream(team, i)}' for p, i in inputs.items()], "}", 2))
    text = templates.DAG.substitute(
        team=team,
        name=name,
        Name=contract.job.rpartition(":")[2],
        upstream="\nfrom airflow_bindings import Upstream" if inputs else "",
        call=_block("Spark(", arguments, ")", 1),
    )
    place = f"airflow_bindings/dags/{team}/{name}.py"
    steps = (
        f"run it: teamspark dags run {team}.{name} --date 2026-01-01",
        f"its outputs: teamspark outputs ls {team}/{team}.{name}/{name}",
    )
    return Scaffold({place: text}, steps)


def _require_fed(contract: JobContract, inputs: Mapping[str, OutputAddress]) -> None:
    ports = {port.name: port for port in contract.inputs}
    wrong = [f"no port '{name}'; there are {', '.join(ports) or 'none'}" for name in inputs if name not in ports]
    for port in contract.inputs:
        if port.source and port.name in inputs:
            wrong.append(f"port '{port.name}' is fed by source '{port.source}'")
        if not (port.source or port.optional or port.name in inputs):
            wrong.append(f"port '{port.name}' needs --input {port.name}=team/dag/task[:output]")
    if wrong:
        raise ConfigError("inputs and ports do not match", where=contract.job, details=wrong)


def _upstream(team: str, address: OutputAddress) -> str:
    task = address.task
    # Quoted as JSON: an id may hold anything, and must stay a string in the file.
    words = [json.dumps(task.task_id), f"dag_id={json.dumps(task.dag_id)}"]
    if task.team != team:
        words.append(f'team="{task.team}"')
    if address.output != "default":
        words.append(f"output={json.dumps(address.output)}")
    words.append('wait="PT2H"')
    return _block("Upstream(", words, ")", 3)


def _block(opening: str, parts: Sequence[str], closing: str, depth: int) -> str:
    """One part a line, each with its comma: the one layout that the formatter leaves as it is, whatever the lengths."""
    return "\n".join([opening, *(f"{'    ' * (depth + 1)}{part}," for part in parts), "    " * depth + closing])


def write(workspace: Path, scaffold: Scaffold) -> tuple[str, ...]:
    """Make the scaffold's files; the places written, in order.

    Nothing is written unless every new file's place is free. Raises: ConfigError.
    """
    there = [place for place in scaffold.files if os.path.lexists(workspace / place)]
    if there:
        raise ConfigError(
            "there is something already; nothing is overwritten",
            where=str(workspace),
            details=there,
            next_step="choose another name, or move those away",
        )
    for place, text in scaffold.files.items():
        path = workspace / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    for place, text in (scaffold.append or {}).items():
        with (workspace / place).open("a", encoding="utf-8") as file:
            file.write(text)
    return (*scaffold.files, *(scaffold.append or {}))
