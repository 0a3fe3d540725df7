"""Where a team keeps its outputs, and its cache before them, as its team file says: addresses, never a credential."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, model_validator

from framework.records import Record

# What servers of one's own answer to, and where AWS sends on from: a bucket elsewhere needs its region in the team file.
DEFAULT_REGION: Final = "us-east-1"
# Without dots: they break certificates of `bucket.host`; without capitals and `_`: they are no host's name.
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
_REGION: Final = re.compile(r"[a-z0-9-]+")
_MODE: Final = re.compile(r"0[0-7]{3}")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+")
_SIZE: Final = re.compile(r"[1-9]\d{0,5}(?:Mi|Gi)")


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise ValueError("expected a bucket's name: 3 to 63 of a-z, 0-9 and -, without s3:// before it")
    return name


def _prefix(text: str) -> str:
    if text and not all(_SEGMENT.fullmatch(part) for part in text.split("/")):
        raise ValueError("expected segments of letters, digits, '.', '_' and '-', without a slash at either end")
    return text


def check_region(name: str) -> str:
    if not _REGION.fullmatch(name):
        raise ValueError("expected a region's name, such as eu-west-1")
    return name


def check_endpoint(url: str) -> str:
    """Credentials in a URL would be in every log."""
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and f"{parts.scheme}://{parts.netloc}" == url
        plain = bool(plain) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain:
        raise ValueError("expected http(s)://host or http(s)://host:port, without user, path or query")
    return url


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError("expected an absolute path: where the file system is mounted")
    return path


class DirectoryStore(Record):
    """Outputs below a directory. A relative ``root`` starts at the workspace."""

    kind: Literal["directory"]
    root: str = Field(min_length=1)


def _mode(text: object) -> str:
    # Without quotes YAML reads 0750 as the number 488.
    if not isinstance(text, str) or not _MODE.fullmatch(text) or text[1] != "7":
        raise ValueError("expected the mode of its folders in quotes, as '0750': all for the owner, nothing special")
    return text


class EfsStore(Record):
    """Outputs below a mounted network file system that keeps ``link(2)`` atomic (NFS 4.1).

    ``uid`` and ``gid``: whose everything in it is. ``mode``: of folders; files have it without the right to execute.
    """

    kind: Literal["efs"]
    root: Annotated[str, AfterValidator(_absolute)]
    uid: NonNegativeInt | None = None
    gid: NonNegativeInt | None = None
    mode: Annotated[str, BeforeValidator(_mode)] | None = None


class BucketStore(Record):
    """Outputs in an S3 bucket, below ``prefix``. ``endpoint``: of a server that is not AWS's.

    Who may read and write there is the identity of whoever asks: no key belongs in a team file.
    """

    kind: Literal["s3"]
    bucket: Annotated[str, AfterValidator(_bucket)]
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = None
    region: Annotated[str, AfterValidator(check_region)] | None = None


def key_prefix(place: BucketStore, team: str) -> str:
    """What the keys of all outputs of ``team`` in ``place`` begin with."""
    return f"{place.prefix}/{team}/" if place.prefix else f"{team}/"


class StoreKind(StrEnum):
    """The kinds of store that a team file may name."""

    directory = "directory"
    efs = "efs"
    s3 = "s3"


class CacheKind(StrEnum):
    """What may be before the stores of this machine."""

    none = "none"
    alluxio = "alluxio"


StorePlace: TypeAlias = Annotated[DirectoryStore | EfsStore | BucketStore, Field(discriminator="kind")]


def _memory(text: str) -> str:
    if not _SIZE.fullmatch(text):
        raise ValueError("expected a number and Mi or Gi, such as 512Mi")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not (colon and _HOST.fullmatch(host) and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError("expected host:port, of Alluxio's master")
    return text


class AlluxioPlace(Record):
    """An Alluxio before the team's store.

    Without ``master`` and ``proxy`` it is one of this machine, of that much ``memory``: ``teamspark cache up``. With them
    it is somebody's who has mounted the store there: ``master`` is host:port, ``proxy`` an address.
    """

    kind: Literal["alluxio"]
    memory: Annotated[str, AfterValidator(_memory)] = "512Mi"
    master: Annotated[str, AfterValidator(_address)] | None = None
    proxy: Annotated[str, AfterValidator(check_endpoint)] | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.master is None) != (self.proxy is None):
            raise ValueError("expected master and proxy, or neither for a cache of this machine")
        return self

    @property
    def memory_bytes(self) -> int:
        return int(self.memory[:-2]) * {"Mi": 2**20, "Gi": 2**30}[self.memory[-2:]]
