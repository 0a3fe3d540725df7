"""What a program is told of its run: versioned JSON, the same on a laptop and on a cluster."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, NonNegativeInt

from framework.config import DataMode
from framework.records import Record


class RunTold(Record):
    """Which run this is. ``date`` fields as in ``RunFacts``."""

    team: str
    dag_id: str
    task_id: str
    run: str
    map_index: int | None = None
    logical_date: AwareDatetime | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    zone: str = "UTC"


class InputTold(Record):
    """One input. ``path``: a folder with exactly these ``files``; None where the program opens ``uris`` itself, and for an input
    that is absent. ``columns``: names and SQL types; none where it is files that nobody typed. ``bytes`` and ``rows`` of all.
    """

    path: str | None
    files: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    columns: Mapping[str, str] = {}
    bytes: NonNegativeInt = 0
    rows: NonNegativeInt = 0


class OutputTold(Record):
    """One output: the folder to write to, or the URI below which files are written. ``columns`` as of inputs."""

    path: str | None
    uri: str | None = None
    columns: Mapping[str, str] = {}


class S3Told(Record):
    """Where the bucket of a URI is: ``endpoint`` None is AWS."""

    endpoint: str | None = None
    region: str | None = None
    path_style: bool = False


class Told(Record):
    """All of it. ``s3``: by bucket, of the URIs above."""

    version: Literal[1] = 1
    run: RunTold
    data: DataMode
    parameters: Mapping[str, Any] = {}
    inputs: Mapping[str, InputTold] = {}
    outputs: Mapping[str, OutputTold] = {}
    s3: Mapping[str, S3Told] = {}
