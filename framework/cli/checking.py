"""Who would break whom: contracts and edges compared, and source text searched for what Spark Connect lacks. Pure."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from framework.config import EdgeRef
from framework.destinations.kinds import require_writes
from framework.errors import PolicyError, TeamsparkError
from framework.exports import EdgesExport, TaskEdges
from framework.identity import JobName, TaskKey
from framework.job import InputPort, JobContract, other_kind
from framework.schema.annotations import nearest
from framework.schema.compare import missing_for
from framework.tenancy.model import Teams

Severity = Literal["error", "warning"]

# Attribute -> what to write instead. These reach past the API that classic Spark and Spark Connect share.
BEYOND_CONNECT: Final[Mapping[str, str]] = {
    "sparkContext": "the session's own methods",
    "rdd": "DataFrame methods",
    "_jvm": "pyspark.sql.functions",
    "_jsc": "the session's own methods",
    "_jdf": "DataFrame methods",
    "_jsparkSession": "the session's own methods",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that nobody could check."""

    severity: Severity
    where: str
    what: str

    def to_json(self) -> dict[str, Any]:
        return {"severity": self.severity, "where": self.where, "what": self.what}


def check_edges(
    contracts: Mapping[str, JobContract], edges: EdgesExport, teams: Teams | None = None
) -> tuple[Finding, ...]:
    """Every finding of every edge, in the order of the tasks; ``teams`` adds who may read whom, and deliver where."""
    tasks = {one.task: one for one in edges.tasks}
    return tuple(finding for one in edges.tasks for finding in _check_task(one, tasks, contracts, teams))


def check_grants(edges: EdgesExport, teams: Teams) -> tuple[Finding, ...]:
    """Grants of tasks that are not there: somebody's typing, or a task that was renamed and left its readers without."""
    tasks = {one.task for one in edges.tasks}
    dags = {(task.team, task.dag_id) for task in tasks}
    granted = [
        (name, grant.to, TaskKey(name, *task.split("/", 1)))
        for name, team in sorted(teams.by_name.items())
        for grant in team.grants
        for task in grant.read
    ]
    return tuple(
        Finding(
            "error" if (name, task.dag_id) in dags else "warning",
            teams.file(name),
            f"grants {task.dag_id}/{task.task_id} to '{to}': no such task among the exported DAGs{_near(task, tasks)}",
        )
        for name, to, task in granted
        if task not in tasks
    )


def _near(task: TaskKey, tasks: Iterable[TaskKey]) -> str:
    return nearest(task.task_id, {one.task_id for one in tasks if (one.team, one.dag_id) == (task.team, task.dag_id)})


def check_sources(
    contracts: Iterable[JobContract], declared: Callable[[str], Mapping[str, object]], teams: Iterable[str]
) -> tuple[Finding, ...]:
    """Mistakes in the teams' ``sources.yaml``, and sources that a job names and its team does not declare.

    ``declared``: the sources of a team; it may raise. Jobs of ``shared`` take those of whoever runs them.
    """
    known: dict[str, Mapping[str, object]] = {}
    findings: list[Finding] = []
    for team in sorted(set(teams)):
        try:
            known[team] = declared(team)
        except TeamsparkError as error:
            findings += [Finding("error", f"jobs/{team}/sources.yaml", line) for line in error.details or (error.what,)]
    for contract in contracts:
        team = _team_of(contract.job)
        for port in contract.inputs:
            if port.source and team in known and port.source not in known[team]:
                there = ", ".join(sorted(known[team])) or "none"
                what = (
                    f"port '{port.name}': jobs/{team}/sources.yaml declares no source '{port.source}'; it has {there}"
                )
                findings.append(Finding("error", contract.job, what))
    return tuple(findings)


def _team_of(job: str) -> str:
    """The team of a job's name; nobody's for a job that a test defines."""
    try:
        return JobName.parse(job).team
    except TeamsparkError:
        return ""


def _check_task(
    one: TaskEdges, tasks: Mapping[TaskKey, TaskEdges], contracts: Mapping[str, JobContract], teams: Teams | None
) -> Iterator[Finding]:
    where = str(one.task)
    yield from _check_destinations(one, teams)
    if one.job is None:
        return
    contract = contracts.get(one.job)
    if contract is None:
        yield Finding("error", where, f"runs {one.job}, which is not among the exported jobs")
        return
    if one.contract not in (None, contract.hash):
        yield Finding("error", where, f"was exported against another version of {one.job}: export the DAGs again")
    yield from _check_ports(one, contract)
    ports = {port.name: port for port in contract.inputs}
    for name, refs in one.inputs.items():
        for ref in refs if name in ports else ():
            place = f"{where} port '{name}' ({contract.job})"
            for severity, what in _check_edge(ref, tasks, contracts, ports[name]):
                yield Finding(severity, place, what)
            yield from _check_grant(one.task.team, ref, place, teams)


def _check_destinations(one: TaskEdges, teams: Teams | None) -> Iterator[Finding]:
    """Whether the team file permits what is delivered without a connection."""
    if teams is None:
        return
    for output, entries in one.destinations.items():
        for entry in entries:
            place = f"{one.task} output '{output}' to {entry.type}"
            try:
                if not require_writes(entry, teams, one.task.team):
                    yield Finding("warning", place, "its place is a template, known at run time: not checked")
            except PolicyError as error:
                yield Finding("error", place, f"{error.what}: {error.got}; {error.next_step}")
            except TeamsparkError as error:
                yield Finding("error", place, str(error).replace("\n", " "))


def _check_ports(one: TaskEdges, contract: JobContract) -> Iterator[Finding]:
    known = {port.name for port in contract.inputs}
    for name in sorted(set(one.inputs) - known):
        ports = ", ".join(sorted(known)) or "none"
        yield Finding("error", str(one.task), f"feeds port '{name}', which {contract.job} lacks; its ports: {ports}")
    for port in contract.inputs:
        if not (port.source or port.optional or port.name in one.inputs):
            what = f"port '{port.name}' of {contract.job} has no edge: add inputs={{'{port.name}': <task>.output}}"
            yield Finding("error", str(one.task), what)
        if port.source and port.name in one.inputs:
            yield Finding(
                "error", str(one.task), f"port '{port.name}' is fed by source '{port.source}'; take the edge out"
            )


def _check_edge(
    ref: EdgeRef, tasks: Mapping[TaskKey, TaskEdges], contracts: Mapping[str, JobContract], wanted: InputPort
) -> Iterator[tuple[Severity, str]]:
    task = TaskKey(ref.team, ref.dag_id, ref.task_id)
    producer = tasks.get(task)
    if producer is None:
        yield "warning", f"reads {task}, which is not among the exported edges: not checked"
        return
    if producer.job is None or producer.job not in contracts:
        yield "warning", f"reads {task}, which declares no job that is exported: not checked"
        return
    outputs = {port.name: port for port in contracts[producer.job].outputs}
    if ref.output not in outputs:
        yield "error", f"reads output '{ref.output}' of {task}; {producer.job} has {', '.join(sorted(outputs))}"
        return
    if other := other_kind(wanted, outputs[ref.output]):
        yield "error", f"from {task}:{ref.output} ({producer.job}): {other}"
    for message in missing_for(wanted.schema, outputs[ref.output].schema):
        yield "error", f"from {task}:{ref.output} ({producer.job}): {message}"


def _check_grant(team: str, ref: EdgeRef, place: str, teams: Teams | None) -> Iterator[Finding]:
    if teams is None:
        return
    try:
        teams.require_grant(team, TaskKey(ref.team, ref.dag_id, ref.task_id))
    except PolicyError as error:
        yield Finding("error", place, f"{error.what}; {error.next_step}")
    except TeamsparkError as error:
        yield Finding("error", place, error.what)


def check_source(text: str, *, where: str) -> tuple[Finding, ...]:
    """Uses of what only classic Spark has, each with its line. Source that does not parse has no uses: importing tells."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ()
    uses = sorted(
        (node.lineno, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in BEYOND_CONNECT
    )
    return tuple(
        Finding("error", f"{where}:{line}", f".{name} is not in Spark Connect; use {BEYOND_CONNECT[name]}")
        for line, name in uses
    )
