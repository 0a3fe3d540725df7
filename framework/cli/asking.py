"""From what the command line says of one run to a request that can be planned: job, parameters, inputs, date."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from framework.cli.addresses import parse_output
from framework.cli.options import lists, pairs
from framework.cli.words import words_of
from framework.config import ContainerFacts, EdgeRef
from framework.errors import ConfigError
from framework.identity import JobName
from framework.job import Contract, Files, Job, Signature, build_job, load_job, signature_of
from framework.laptop import LaptopRun, laptop_config
from framework.masking import visible
from framework.plan import Fixture, PlanRequest
from framework.secret_values import secrets_in
from framework.sparkconf import require_allowed

if TYPE_CHECKING:
    from framework.testing.cases import Case

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_MOMENT: Final = re.compile(r"\d{4}-?\d\d-?\d\d([T ][\d:.]{2,15}(Z|[+-][\d:]{2,8})?)?")
_SUFFIXES: Final = (".json", ".csv")


@dataclass(frozen=True, slots=True)
class Ask:
    """The options of ``run`` and ``explain``, as typed."""

    job: str
    date: str | None = None
    inputs: tuple[str, ...] = ()
    fixtures: Path | None = None
    parameters: tuple[str, ...] = ()
    conf: tuple[str, ...] = ()
    command: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A run that can be planned. ``case``: the folder of fixtures it comes from, whose results it is compared with."""

    request: PlanRequest
    job: Job
    signature: Signature
    case: "Case | None"
    notes: tuple[str, ...] = ()
    """What a person should know of it: columns that nobody stated."""
    command: tuple[str, ...] = ()
    """What runs here in place of the image that fulfils a ``Contract``; nothing where neither the class nor the person says it."""


def prepare(ask: Ask, workspace: Path) -> Prepared:
    """What ``ask`` means. ``workspace`` must be importable (``Scope.importing``).

    Raises: ConfigError, DefinitionError, PathError.
    """
    JobName.parse(ask.job)
    conf = pairs(ask.conf, option="--conf")
    require_allowed(conf, where="--conf")
    job_class = load_job(ask.job)
    signature = signature_of(job_class)
    case = _case(ask)
    job = _build(job_class, case.settings.parameters if case else {}, pairs(ask.parameters, option="--param"))
    fixtures, edges = _inputs(ask, signature, case)
    _require_fed(ask, signature, {*fixtures, *edges})
    moment = _moment(ask, case)
    if edges and moment is None:
        raise ConfigError(
            "an input from a published output needs the run's date",
            where=ask.job,
            next_step="say which run's output: --date 2013-01-01",
        )
    asked = LaptopRun(
        job=ask.job,
        moment=moment,
        now=datetime.now(UTC),
        parameters=job.model_dump(mode="json"),
        inputs=edges,
        spark_conf=conf,
    )
    command = _command(ask, job_class)
    config = laptop_config(asked, workspace)
    if command:
        config = config.model_copy(update={"container": ContainerFacts(image="", command=command)})
    notes = (*_invented(fixtures, lists(ask.inputs, option="--input"), signature), *_left_out(fixtures))
    return Prepared(PlanRequest(config, signature.contract, fixtures), job, signature, case, notes, command)


def _command(ask: Ask, job: type[Job]) -> tuple[str, ...]:
    """Raises: ConfigError for one without a Contract, and for settings of Spark with one."""
    if not issubclass(job, Contract):
        if ask.command is not None:
            raise ConfigError("--command is for a Contract; Spark runs this job", where=ask.job)
        return ()
    if ask.conf:
        raise ConfigError("--conf is for Spark; an image fulfils this Contract", where=ask.job, got=", ".join(ask.conf))
    return words_of(ask.command, where="--command") if ask.command is not None else job.local_command


def parse_date(text: str) -> date | datetime:
    """A date, or a moment, whose day ends within the calendar in UTC. Raises: ConfigError."""
    # Python also reads any separator, and passes over digits without end.
    given = _read_date(text) if _MOMENT.fullmatch(text) else None
    if given is None:
        raise ConfigError("not a date", got=text, expected="2013-01-01, or 2013-01-01T06:00+00:00")
    return given


def _read_date(text: str) -> date | datetime | None:
    try:
        given = date.fromisoformat(text) if _DATE.fullmatch(text) else datetime.fromisoformat(text)
        moment = given if isinstance(given, datetime) else datetime.combine(given, time())
        _ = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        return None
    return given


def _require_fed(ask: Ask, signature: Signature, fed: set[str]) -> None:
    """Raises: ConfigError that says what to type."""
    ports = signature.contract.inputs
    missing = [port.name for port in ports if not (port.source or port.optional or port.name in fed)]
    if missing:
        raise ConfigError(
            "some ports have no input",
            where=ask.job,
            got=f"nothing for {', '.join(missing)}",
            next_step=" ".join(
                f"--input {p.name}={'FOLDER' if p.files else 'FILE'}" for p in ports if p.name in missing
            )
            + ", or --fixtures DIR; FILE may be a published output: team/dag/task[:output]",
        )


def _moment(ask: Ask, case: "Case | None") -> date | datetime | None:
    """The date that is said, else the case's; a case that names none runs here on the date it is tested with."""
    if ask.date is not None:
        return parse_date(ask.date)
    if case is None:
        return None
    from framework.testing.running import DEFAULT_RUN

    return case.settings.run or DEFAULT_RUN


def _case(ask: Ask) -> "Case | None":
    from framework.testing.cases import read_case

    if ask.fixtures is None:
        return None
    if not ask.fixtures.is_dir():
        raise ConfigError(
            "no such folder of fixtures",
            got=str(ask.fixtures),
            expected="a folder with in.<port>.csv or .json, and out.<output> to compare with",
        )
    return read_case(ask.fixtures, ask.job)


def _build(job: type[Job], stated: Mapping[str, Any], texts: Mapping[str, str]) -> Job:
    """Texts of the command line go before what a case states; alone, they are read by the parameters' own types.

    Raises: ConfigError, DefinitionError; a secret is refused as in a DAG, since the run's manifest keeps its parameters.
    """
    if wrong := [*secrets_in("--param", texts), *secrets_in("case.yaml: parameters", stated)]:
        raise ConfigError(
            "a secret is no parameter", details=wrong, next_step="leave it out: nobody keeps it secret here"
        )
    return build_job(job, {**stated, **texts}) if stated else build_job(job, texts, strings=True)


def _inputs(
    ask: Ask, signature: Signature, case: "Case | None"
) -> tuple[dict[str, Fixture], dict[str, tuple[EdgeRef, ...]]]:
    """Rows of files, and edges to published outputs; what ``--input`` says of a port goes before the case's file."""
    given = lists(ask.inputs, option="--input")
    for name, texts in given.items():
        signature.contract.input(name)
        if not all(texts):
            raise ConfigError(
                f"port '{name}' is fed by nothing",
                got=f"--input {name}=",
                next_step=f"--input {name}=FILE, or --input {name}=team/dag/task[:output]",
            )
    folders = dict(_folders(signature, given))
    rows = {name: texts for name, texts in given.items() if name in signature.inputs}
    files = {name: path for name, texts in rows.items() if (path := _file_of(name, texts)) is not None}
    edges = {name: tuple(map(_edge, texts)) for name, texts in given.items() if name not in {*files, *folders}}
    return {**dict(_fixtures(signature, case, without=given)), **_rows(signature, files), **folders}, edges


def _folders(signature: Signature, given: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Fixture]]:
    """Ports of ``Files`` that folders feed. Raises: ConfigError for a file, for several, and for a folder without any file."""
    from framework.testing.cases import folder_fixture, require_kind

    for name, texts in given.items():
        paths = [Path(text) for text in texts if Path(text).exists()]
        if not (signature.contract.input(name).files and paths):
            continue
        if len(texts) > 1:
            raise ConfigError(f"port '{name}' is fed by one folder, or by outputs of tasks", got=", ".join(texts))
        own = paths[0] / f"in.{name}"
        place = own if own.is_dir() else paths[0]  # of a case its own folder, as rows have their own file
        require_kind(place, f"port '{name}'", files=True)
        yield name, folder_fixture(place)


def _fixtures(
    signature: Signature, case: "Case | None", *, without: Mapping[str, Any]
) -> Iterator[tuple[str, Fixture]]:
    from framework.testing.cases import case_fixtures

    found = case_fixtures(signature, case) if case else {}
    return ((name, fixture) for name, fixture in found.items() if name not in without)


def _rows(signature: Signature, files: Mapping[str, Path]) -> dict[str, Fixture]:
    from framework.testing.cases import stated_rows
    from framework.testing.rows import fill

    def rows(name: str, path: Path) -> Fixture:
        schema = signature.inputs[name]
        return Fixture(tuple(fill(schema, stated_rows(path, schema))), str(path))

    return {name: rows(name, path) for name, path in files.items()}


def _invented(
    fixtures: Mapping[str, Fixture], given: Mapping[str, Iterable[str]], signature: Signature
) -> Iterator[str]:
    """Of files that are named one by one, which may be real data: columns that none of their rows has."""
    from framework.testing.cases import stated_rows

    for name in given:
        if name not in fixtures or fixtures[name].folder is not None:
            continue
        stated = stated_rows(Path(fixtures[name].origin), signature.inputs[name])
        known = {column for row in stated for column in row}
        made = [column for row in fixtures[name].rows[:1] for column in row if column not in known]
        if made:
            yield f"{fixtures[name].origin} lacks {', '.join(made)}: filled with values that fit {name}'s schema"


def _left_out(fixtures: Mapping[str, Fixture]) -> Iterator[str]:
    for fixture in fixtures.values():
        if fixture.folder is not None and (names := Files(fixture.folder).markers):
            few = ", ".join(visible(name) for name in names[:5])
            yield f"{fixture.origin}: {len(names)} name(s) left out, since they begin with _ or . as markers do: {few}"


def _file_of(port: str, texts: tuple[str, ...]) -> Path | None:
    """The file that feeds ``port``; None when ``texts`` name tasks. What is there as a file is one."""
    paths = [Path(text) for text in texts]
    if not any(path.exists() for path in paths):
        return None
    if len(paths) > 1:
        raise ConfigError(f"port '{port}' is fed by one file, or by outputs of tasks", got=", ".join(texts))
    found = [paths[0]] if paths[0].is_file() else sorted(paths[0].glob(f"in.{port}.*"))
    usable = [path for path in found if path.suffix in _SUFFIXES]
    if len(usable) != 1:
        raise ConfigError(
            f"no rows for port '{port}'" if not usable else f"several files for port '{port}'",
            where=texts[0],
            got=", ".join(path.name for path in found) or None,
            expected=f"a .csv or .json file, or a folder with in.{port}.csv or in.{port}.json",
        )
    return usable[0]


def _edge(text: str) -> EdgeRef:
    try:
        address = parse_output(text)
    except ConfigError as error:
        raise ConfigError(
            "--input names neither a file nor a task",
            got=text,
            expected="an existing file or folder, or team/DAG id/task id[:output]",
        ) from error
    task = address.task
    return EdgeRef(team=task.team, dag_id=task.dag_id, task_id=task.task_id, output=address.output)
