"""The contract of a job as a frozen record: ports, outputs, what is injected, parameters, and one hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias

from framework.errors import ConfigError, SchemaMismatch
from framework.job.ports import InputPort, OutputPort
from framework.schema.annotations import nearest
from framework.schema.spec import Column, SchemaSpec, SparkType

VERSION: Final = 1
Injected: TypeAlias = Literal["run", "spark"]
# What JSON schema says for people.
_DOCS: Final = frozenset({"title", "description", "examples", "deprecated", "$comment"})


@dataclass(frozen=True, slots=True)
class JobContract:
    """What a job takes and gives. ``several``: its outputs come as a NamedTuple. ``container``: a program of another image fulfils it.

    ``parameters`` is a JSON schema. ``hash`` covers ports, which of them are tables, columns, types, checks, keys and
    parameters; not class names, descriptions, ``cache`` or ``keep``.
    """

    job: str
    description: str
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    injected: tuple[tuple[str, Injected], ...]
    parameters: Mapping[str, Any]
    several: bool
    container: bool = False

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(_essence(self), sort_keys=True).encode()).hexdigest()

    def input(self, name: str) -> InputPort:
        """Raises: ConfigError naming the nearest port."""
        for port in self.inputs:
            if port.name == name:
                return port
        raise self._no_port("input", name, [port.name for port in self.inputs])

    def output(self, name: str) -> OutputPort:
        """Raises: ConfigError naming the nearest output."""
        for port in self.outputs:
            if port.name == name:
                return port
        raise self._no_port("output", name, [port.name for port in self.outputs])

    def _no_port(self, kind: str, name: str, known: list[str]) -> ConfigError:
        return ConfigError(
            f"there is no {kind} {name!r}{nearest(name, known)}", where=self.job, expected=", ".join(known) or "none"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "job": self.job,
            "description": self.description,
            "inputs": [port.to_json() for port in self.inputs],
            "outputs": [port.to_json() for port in self.outputs],
            "injected": [list(pair) for pair in self.injected],
            "parameters": self.parameters,
            "several": self.several,
            "container": self.container,
            "hash": self.hash,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raises: ConfigError for a version this code does not know."""
        if data.get("version") != VERSION:
            raise ConfigError(
                "a job contract of another version", where=data.get("job"), got=data.get("version"), expected=VERSION
            )
        return cls(
            data["job"],
            data["description"],
            tuple(InputPort.from_json(port) for port in data["inputs"]),
            tuple(OutputPort.from_json(port) for port in data["outputs"]),
            tuple((name, kind) for name, kind in data["injected"]),
            data["parameters"],
            data["several"],
            data["container"],
        )


def split_outputs(contract: JobContract, returned: Any) -> dict[str, Any]:
    """What ``transform`` returned, by output name. Raises: SchemaMismatch when it is not what the signature says."""
    names = [port.name for port in contract.outputs]
    if not contract.several:
        frames = {names[0]: returned}
    elif isinstance(returned, tuple) and list(getattr(returned, "_fields", ())) == names:
        frames = dict(zip(names, returned, strict=True))
    else:
        raise SchemaMismatch(
            "transform returned something else than its signature says",
            where=contract.job,
            got=type(returned).__name__,
            expected=f"the NamedTuple with {', '.join(names)}",
            next_step=f"end transform with: return <its class>({', '.join(f'{name}=...' for name in names)})",
        )
    wrong = [f"{name}: {_not_a_frame(frame)}" for name, frame in frames.items() if not _is_frame(frame)]
    if wrong:
        raise SchemaMismatch(
            "transform returned something else than Spark frames",
            where=contract.job,
            expected="a Spark DataFrame" if not contract.several else f"Spark DataFrames for {', '.join(names)}",
            details=wrong,
            next_step="end transform with the frame itself: return flights.groupBy(...).agg(...)"
            if not contract.several
            else f"end transform with: return <its class>({', '.join(f'{name}=...' for name in names)})",
        )
    return frames


def _is_frame(value: Any) -> bool:
    # By name: nobody here imports pyspark, and classic and Connect frames are two classes under one base.
    return any(base.__name__ == "DataFrame" and base.__module__.startswith("pyspark.") for base in type(value).__mro__)


def _not_a_frame(value: Any) -> str:
    kind = type(value)
    if value is None:
        return "None; is there a return?"
    if kind.__module__.partition(".")[0] == "pandas":
        return f"a pandas {kind.__name__}; ask for spark: SparkSession and return spark.createDataFrame(...)"
    return f"a {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")


def _essence(contract: JobContract) -> dict[str, Any]:
    inputs = [
        {"name": port.name, "optional": port.optional, "source": port.source, "schema": _schema_essence(port.schema)}
        | ({"table": port.as_of} if port.table else {})
        | ({"files": True} if port.files else {})
        for port in contract.inputs
    ]
    outputs = [
        {"name": port.name, "schema": _schema_essence(port.schema)}
        | ({"table": True} if port.table else {})
        | ({"files": True} if port.files else {})
        for port in contract.outputs
    ]
    return {"inputs": inputs, "outputs": outputs, "parameters": _without_docs(contract.parameters)}


def _schema_essence(schema: SchemaSpec) -> dict[str, Any]:
    return {
        "columns": [_column_essence(column) for column in schema.columns],
        "key": list(schema.key),
        "rules": [rule.to_json() for rule in schema.rules],
    }


def _column_essence(column: Column) -> dict[str, Any]:
    whole = column.to_json()
    kept = {name: value for name, value in whole.items() if name != "description"}
    return kept | {"type": _without_comments(column.type)}


def _without_comments(kind: SparkType) -> Any:
    if not isinstance(kind, dict):
        return kind
    if kind["type"] == "struct":
        fields = [{**field, "type": _without_comments(field["type"]), "metadata": {}} for field in kind["fields"]]
        return {"type": "struct", "fields": fields}
    return {name: _without_comments(part) for name, part in kind.items()}


def _without_docs(schema: Any) -> Any:
    """A JSON schema without what it says for people; a parameter may well be called ``title``."""
    if isinstance(schema, list):
        return [_without_docs(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {name: part for name, part in schema.items() if name not in _DOCS}
    named = ("properties", "$defs")
    return {
        name: {key: _without_docs(item) for key, item in part.items()} if name in named else _without_docs(part)
        for name, part in kept.items()
    }
