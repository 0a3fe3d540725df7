"""Destinations of type ``s3``: a bucket, opened with a connection's keys or with the run's own identity."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from framework.connections import NAME, Connection
from framework.destinations.base import Destination, Outside, record_mistakes
from framework.destinations.directory import Files
from framework.errors import ConfigError, SetupError
from framework.records import Record
from framework.storage.keys import Keys
from framework.tenancy.places import BucketStore, check_endpoint, check_region

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART: Final = re.compile(r"(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]+")
KIND: Final = "aws"
_WHERE: Final = "destination of type s3"


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise ValueError("expected a bucket's name: 3 to 63 of a-z, 0-9, '-' and '.', without s3:// before it")
    return name


def _path(text: str) -> str:
    """Keys begin with no slash, and a folder's name ends with none; people write both."""
    plain = text.strip("/")
    if not plain or not all(_PART.fullmatch(part) for part in plain.split("/")):
        raise ValueError("expected folders with / between them, none empty, '.' or '..'")
    return plain


class BucketData(Record):
    """Without ``aws_conn_id`` the bucket is opened with the run's own identity, and ``writes`` has to permit it.

    ``endpoint`` and ``region`` go before what the connection says.
    """

    bucket: Annotated[str, AfterValidator(_bucket)]
    path: Annotated[str, AfterValidator(_path)]
    aws_conn_id: Annotated[str, Field(pattern=NAME)] | None = None
    endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = None
    region: Annotated[str, AfterValidator(check_region)] | None = None

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.path}"


class BucketKind:
    """``{"type": "s3", "data": {"bucket": ..., "path": ..., "aws_conn_id": ...}}``"""

    def mistakes(self, data: Mapping[str, Any]) -> Iterator[str]:
        yield from record_mistakes(BucketData, data)

    def connections(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        name = data.get("aws_conn_id")
        return (name,) if isinstance(name, str) else ()

    def permitted(self, data: Mapping[str, Any], workspace: Path) -> str | None:
        told = BucketData.parse(data, where=_WHERE)
        return None if told.aws_conn_id is not None else told.place

    def open(self, data: Mapping[str, Any], outside: Outside) -> Destination:
        told = BucketData.parse(data, where=_WHERE)
        place = told.place
        if told.aws_conn_id is None:
            outside.teams.require_write(outside.team, place)
            return _opened(told, place, _near(outside), None)
        connection = outside.connections.get(told.aws_conn_id, kind=KIND, where=place)
        return _opened(told, place, connection, _keys(connection, told.aws_conn_id))


def _near(outside: Outside) -> Connection:
    """Where the team's own bucket is, if it has one: there the run's own identity is known."""
    own = outside.teams.team(outside.team).store
    if not isinstance(own, BucketStore):
        return Connection(kind=KIND)
    told = {"endpoint_url": own.endpoint, "region_name": own.region}
    return Connection(kind=KIND, options={name: value for name, value in told.items() if value is not None})


def _keys(connection: Connection, name: str) -> Keys:
    if not (connection.user and connection.password):
        raise ConfigError(
            "a connection holds no keys",
            where=f"connection '{name}'",
            expected="login and password: the access key and its secret; options may hold aws_session_token",
            next_step="add them; to write with the run's own identity leave aws_conn_id out",
        )
    return Keys(connection.user, connection.password, connection.options.get("aws_session_token"))


def _opened(told: BucketData, place: str, connection: Connection, keys: Keys | None) -> Files:
    try:
        from framework.storage.s3 import S3Store  # only now: nobody else pays for boto3
        from framework.storage.s3client import Bucket, connect
    except ModuleNotFoundError as error:
        raise SetupError("a bucket needs boto3", where=place, got=str(error)) from error
    endpoint = told.endpoint or connection.options.get("endpoint_url")
    region = told.region or connection.options.get("region_name")
    bucket = Bucket(told.bucket, told.path, endpoint, region)
    whose = f"connection '{told.aws_conn_id}'" if told.aws_conn_id else "this run's own identity"
    advice = f"look at the bucket's name, and whether {whose} may get, put and list there"
    return Files(place, S3Store(bucket, connect=lambda bucket: connect(bucket, keys)), advice)
