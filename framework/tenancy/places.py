"""Where a team keeps its outputs, as its team file says: names and addresses, never a credential."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, NonNegativeInt

from framework.records import Record

# Without dots: they break certificates of `bucket.host`; without capitals and `_`: they are no host's name.
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
_REGION: Final = re.compile(r"[a-z0-9-]+")
_MODE: Final = re.compile(r"0[0-7]{3}")


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


def _mode(text: str) -> str:
    if not _MODE.fullmatch(text) or text[1] != "7":
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
    mode: Annotated[str, AfterValidator(_mode)] | None = None


class BucketStore(Record):
    """Outputs in an S3 bucket, below ``prefix``. ``endpoint``: of a server that is not AWS's.

    Who may read and write there is the identity of whoever asks: no key belongs in a team file.
    """

    kind: Literal["s3"]
    bucket: Annotated[str, AfterValidator(_bucket)]
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = None
    region: Annotated[str, AfterValidator(check_region)] | None = None


class StoreKind(StrEnum):
    """The kinds of store that a team file may name."""

    directory = "directory"
    efs = "efs"
    s3 = "s3"


StorePlace: TypeAlias = Annotated[DirectoryStore | EfsStore | BucketStore, Field(discriminator="kind")]
