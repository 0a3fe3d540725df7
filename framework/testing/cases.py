"""The fixtures convention: ``jobs/<team>/fixtures/<job>/<case>/``, found for every job there is.

``<job>`` is the class name in snake_case. A case holds ``in.<port>.json|csv``, ``out.<output>.json|csv`` and, if it
needs them, ``case.yaml`` with ``run`` (a date), ``parameters`` and ``fails`` (check name to number of rows). Of ``Files`` it holds
folders: ``in.<port>`` and ``out.<output>``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from framework.errors import ConfigError
from framework.identity import snake_case
from framework.job import Files, Job, Signature, job_name
from framework.plan import Fixture
from framework.records import Record
from framework.schema.model import Schema
from framework.storage.base import Store
from framework.storage.publish import Published
from framework.testing.compare import assert_files, uneven
from framework.testing.rows import fill, read_csv_rows, read_json_rows, unchecked
from framework.textfile import read_text

SUFFIXES = (".json", ".csv")


class CaseFile(Record):
    """``case.yaml``."""

    run: date | datetime | None = None
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    fails: Mapping[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One folder of fixtures; ``inputs`` and ``outputs`` name its files by port, of ``Files`` its folders."""

    job: str
    folder: Path
    settings: CaseFile
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]

    def __str__(self) -> str:
        """``team/job/case`` as its folder has them: what people type to run it, and one name a case over all teams."""
        module, _, name = self.job.partition(":")
        return f"{module.split('.')[1]}/{snake_case(name)}/{self.folder.name}"


def fixtures_of(job: type[Job], jobs_root: Path) -> Path:
    """Where the cases of ``job`` are."""
    team = job.__module__.split(".")[1]
    return jobs_root / team / "fixtures" / snake_case(job.__name__)


def find_cases(job: type[Job], jobs_root: Path) -> Iterator[Case]:
    """The cases of ``job``, by name. Raises: ConfigError for a folder that is not one."""
    root = fixtures_of(job, jobs_root)
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        yield read_case(folder, job_name(job))


def read_case(folder: Path, job: str) -> Case:
    """The case in ``folder``. Raises: ConfigError, listing every file that does not belong."""
    found: dict[str, dict[str, Path]] = {"in": {}, "out": {}}
    wrong = []
    for path in sorted(folder.iterdir()):
        side, _, port = (path.name if path.is_dir() else path.stem).partition(".")
        if side in found and port and (path.is_dir() or path.suffix in SUFFIXES):
            found[side][port] = path
        elif path.name != "case.yaml":
            wrong.append(f"{path.name}: expected in.<port>, out.<output> (.json, .csv, a folder of Files) or case.yaml")
    if wrong:
        raise ConfigError("files that belong to no case", where=str(folder), details=wrong)
    text = folder / "case.yaml"
    data = _yaml(text) if text.exists() else None
    return Case(job, folder, CaseFile.parse(data or {}, where=str(text)), found["in"], found["out"])


def _yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(path), got=str(error)) from None


def stated_rows(path: Path, schema: type[Schema]) -> list[dict[str, Any]]:
    """The rows that a fixture file states, typed, without filling. Raises: ConfigError."""
    text = read_text(path)
    try:
        return read_json_rows(text, schema) if path.suffix == ".json" else read_csv_rows(text, schema)
    except ConfigError as error:
        error.where = str(path)  # whose rows they are: the schema is in the first line
        raise


def case_fixtures(signature: Signature, case: Case) -> dict[str, Fixture]:
    """The complete rows of a case's inputs. Where checks are meant to fail, rows may break them.

    The expected rows are looked at too: their mistakes come before the run. Raises: ConfigError.
    """
    _require_comparable(signature, case)
    fixtures = {}
    for name, path in case.inputs.items():
        port = signature.contract.input(name)
        if require_kind(path, f"port '{name}'", files=port.files):
            fixtures[name] = folder_fixture(path)
            continue
        schema = signature.inputs[port.name]
        stated = stated_rows(path, schema)
        rows = fill(schema, unchecked(stated) if case.settings.fails else stated)
        fixtures[name] = Fixture(tuple(rows), str(path))
    return fixtures


def require_kind(path: Path, what: str, *, files: bool) -> bool:
    """Whether it is files. Raises: ConfigError where ``path`` is a folder and should be rows, or the other way."""
    if path.is_dir() != files:
        raise ConfigError(
            f"{what} is {'files' if files else 'rows'}",
            where=str(path),
            got="a folder" if path.is_dir() else "a file",
            expected="a folder that holds them" if files else "a .csv or .json file",
        )
    return files


def folder_fixture(path: Path) -> Fixture:
    """Of ``Files``. Raises: ConfigError where the folder holds none, and for what is no file: no output holds that."""
    odd = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_symlink() or not (p.is_file() or p.is_dir())]
    if odd:
        raise ConfigError(
            "this folder holds something else than files and folders", where=str(path), details=sorted(odd),
            next_step="put the files themselves there; links lead out of it",
        )  # fmt: skip
    if not Files(path).names:
        raise ConfigError(
            "this folder holds no files", where=str(path), expected="files whose names begin with neither _ nor ."
        )
    return Fixture((), str(path), path.absolute())


def assert_same_files(path: Path, published: Published, store: Store, output: str) -> None:
    """Compare what was published with the folder ``path``, byte for byte. Raises: AssertionError."""
    entries = zip(published.files(output), published.paths(output), strict=True)
    found = {file.path.removeprefix(f"{output}/"): store.read(stored) or b"" for file, stored in entries}
    assert_files(found, {name: (path / name).read_bytes() for name in Files(path).names})


def _require_comparable(signature: Signature, case: Case) -> None:
    for name, path in case.outputs.items():
        port = signature.contract.output(name)
        if require_kind(path, f"output '{name}'", files=port.files):
            continue
        rows = stated_rows(path, signature.outputs[port.name])
        odd = tuple(uneven(rows))
        if odd:
            raise ConfigError(
                "expected rows name different columns",
                where=str(path),
                expected=f"the columns of row 0 in each: {', '.join(rows[0])}",
                details=odd,
                next_step="name the same columns in every row; columns that no row names are not compared",
            )
