"""A team's identity at an object store as documents: what it may do, and who may take it on. In AWS' dialect and SeaweedFS'.

Everything follows from the places in ``Reach``. A place ends in ``/``: a prefix without it also names a team whose name goes on.
A listing is permitted by ``s3:prefix``, which has to begin with a place; one without prefix, or with less, is denied.
Grammar and condition keys: AWS Identity and Access Management User Guide, "IAM JSON policy elements"; Service Authorization
Reference, "Amazon S3"; for SeaweedFS what its 4.48 does (``tests/framework/storage/test_web_identity.py``).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Document = dict[str, Any]
VERSION: Final = "2012-10-17"
PROVIDER: Final = "kubernetes"
"""What SeaweedFS calls the issuer of tokens."""
READ: Final = ("s3:GetObject",)
WRITE: Final = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
LIST: Final = "s3:ListBucket"
_CHANGE: Final = (*READ, *WRITE)
# What is put once and never again: the log of a run, the log of a table.
CONTROL: Final = ("_log", "_delta_log")


class Dialect(StrEnum):
    """Who reads the documents."""

    aws = "aws"
    seaweedfs = "seaweedfs"


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """The keys of a bucket that begin with ``keys``, which ends in ``/`` or is empty for all; ``exact``: that one key."""

    bucket: str
    keys: str
    exact: bool = False

    def __post_init__(self) -> None:
        whole = self.exact or not self.keys or self.keys.endswith("/")
        if not whole or self.keys.startswith("/") or set(self.keys) & set("*?$"):
            raise ValueError(f"no place: {self.keys!r}")

    @property
    def objects(self) -> str:
        return f"arn:aws:s3:::{self.bucket}/{self.keys}{'' if self.exact else '*'}"

    @property
    def name(self) -> str:
        """Of the folder itself, without its slash."""
        return f"arn:aws:s3:::{self.bucket}/{self.keys.removesuffix('/')}"

    @property
    def bucket_arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}"

    def names(self, bucket: str, key: str) -> bool:
        """Whether ``key`` is the folder's own name."""
        return bucket == self.bucket and not self.exact and f"{key}/" == self.keys

    def covers(self, bucket: str, key: str) -> bool:
        """Whether it is the place of an object."""
        return bucket == self.bucket and (key == self.keys if self.exact else key.startswith(self.keys))

    def lists(self, bucket: str, prefix: str) -> bool:
        """Whether a listing of what begins with ``prefix`` shows nothing else."""
        return not self.exact and bucket == self.bucket and prefix.startswith(self.keys)


@dataclass(frozen=True, slots=True)
class Reach:
    """All that a team's identity may touch: ``own``, where it writes; what it may read, and deliver to, besides."""

    own: Prefix
    reads: tuple[Prefix, ...] = ()
    writes: tuple[Prefix, ...] = ()

    def __post_init__(self) -> None:
        if not self.own.keys or self.own.exact:
            raise ValueError(f"no place: {self.own.keys!r}")

    @property
    def changeable(self) -> tuple[Prefix, ...]:
        return self.own, *self.writes

    @property
    def readable(self) -> tuple[Prefix, ...]:
        return *self.changeable, *self.reads


def policy(reach: Reach) -> Document:
    """What the identity may do: the same in both dialects. Whatever is not here is denied."""
    named: list[tuple[str, Prefix, Sequence[str]]] = [("", reach.own, _CHANGE)]
    named += [(f"Write{number}", place, _CHANGE) for number, place in enumerate(sorted(reach.writes))]
    named += [(f"Read{number}", place, READ) for number, place in enumerate(sorted(reach.reads))]
    return {"Version": VERSION, "Statement": [one for parts in named for one in _statements(*parts)]}


def _statements(name: str, place: Prefix, actions: Sequence[str]) -> Iterator[Document]:
    yield _allow(f"{name}Objects", actions, [place.objects])
    if place.exact:
        return
    yield _listing(f"{name}Listing", place)
    if place.keys:
        # Alluxio asks for a folder's name before it mounts it. No object has that key: paths below it begin with the slash.
        yield _allow(f"{name}Name", READ, [place.name])


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str], **condition: Any) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources), **condition}


def _listing(sid: str, place: Prefix) -> Document:
    within = {"Condition": {"StringLike": {"s3:prefix": [f"{place.keys}*"]}}} if place.keys else {}
    return _allow(sid, [LIST], [place.bucket_arn], **within)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs service accounts' tokens. ``url`` as in the tokens; ``account``: the twelve digits of AWS' account."""

    url: str
    audience: str
    account: str

    @property
    def host(self) -> str:
        return self.url.removeprefix("https://")


def trust(issuer: Issuer, subjects: Iterable[str], dialect: Dialect) -> Document:
    """Who may take the identity on: exactly these subjects, with tokens for exactly this audience.

    SeaweedFS knows an issuer by the provider's name, and holds the audience by the provider's ``clientId``: its ``oidc:aud`` is
    missing where a token has a list, as Kubernetes' have.
    """
    pinned = sorted(subjects)
    if dialect is Dialect.seaweedfs:
        federated, conditions = PROVIDER, {"oidc:sub": pinned}
    else:
        federated = f"arn:aws:iam::{issuer.account}:oidc-provider/{issuer.host}"
        conditions = {f"{issuer.host}:sub": pinned, f"{issuer.host}:aud": [issuer.audience]}
    return {
        "Version": VERSION,
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": federated},
            "Action": ["sts:AssumeRoleWithWebIdentity"],
            "Condition": {"StringEquals": conditions},
        }],
    }  # fmt: skip


def bucket_policy(own: Prefix) -> Document:
    """AWS only: what nobody may do in the bucket, whatever an identity allows: put a control key that is there, or delete one.

    Requests for parts of an upload carry no such header, and make no object (Amazon S3 User Guide, "Enforce conditional
    writes on Amazon S3 buckets").
    """
    control = [f"arn:aws:s3:::{own.bucket}/{own.keys}*/{name}/*" for name in CONTROL]
    once = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    denied: Document = {"Effect": "Deny", "Principal": "*", "Resource": control}
    return {
        "Version": VERSION,
        "Statement": [
            {"Sid": "PutOnce", **denied, "Action": ["s3:PutObject"], "Condition": once},
            {"Sid": "KeepLogs", **denied, "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"]},
        ],
    }
