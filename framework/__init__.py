"""The data processing framework: what a job is, and how one run of it happens.

Team code imports its words from here; each is loaded when it is first asked for, so that ``import framework`` costs
next to nothing where no job is defined. Nothing below this package knows Airflow, Kubernetes or a team.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from framework.job.model import Contract, Job
    from framework.job.ports import Files, Frame, Input, Output, Source, Table
    from framework.job.run import Run
    from framework.schema.model import Schema
    from framework.schema.types import Drop, Float32, Int8, Int16, Int32, Warn

_HOMES: Final = {
    "Contract": "framework.job.model",
    "Drop": "framework.schema.types",
    "Files": "framework.job.ports",
    "Float32": "framework.schema.types",
    "Frame": "framework.job.ports",
    "Input": "framework.job.ports",
    "Int8": "framework.schema.types",
    "Int16": "framework.schema.types",
    "Int32": "framework.schema.types",
    "Job": "framework.job.model",
    "Output": "framework.job.ports",
    "Run": "framework.job.run",
    "Schema": "framework.schema.model",
    "Source": "framework.job.ports",
    "Table": "framework.job.ports",
    "Warn": "framework.schema.types",
}

__all__ = [
    "Contract",
    "Drop",
    "Files",
    "Float32",
    "Frame",
    "Input",
    "Int8",
    "Int16",
    "Int32",
    "Job",
    "Output",
    "Run",
    "Schema",
    "Source",
    "Table",
    "Warn",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'framework' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
