"""Requests to an object store that a team must not make, and those that it has to: by name, each ready to be sent.

They speak S3 by themselves: what is attacked is the store, not the code that runs use.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from framework.errors import SetupError
from framework.storage.keys import Keys
from framework.tenancy.iam import Reach
from framework.testing.isolation import Deed, Refused

CANARY: Final = "isolation-canary"
TOLD: Final = b"of this team only"
# Answers by which a server says that a request is not even looked at.
_NO: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidIdentityToken", "ExpiredToken"}
)
_NOT_THERE: Final = frozenset(
    {"NoSuchKey", "404", "InvalidRequest", "InvalidURI", "400", "NoSuchBucket", "InvalidArgument"}
)


OPEN_POLICY: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::%s/*"}]}'
NO_SIGNATURE: Final = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg":"none","typ":"JWT"}


@dataclass(frozen=True)
class Place:
    """One team's place in a store, and who gives it an identity there."""

    team: str
    reach: Reach
    endpoint: str | None
    region: str
    role: str

    def session(self, keys: Keys, service: str = "s3") -> Any:
        """A client of the store with these keys."""
        made: Any = boto3.session.Session(keys.access, keys.secret, keys.token, region_name=self.region)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, signature_version="s3v4")
        return made.client(service, endpoint_url=self.endpoint, config=config if service == "s3" else None)

    def keys(self, token: str, role: str | None = None) -> Keys:
        """Those of a session, for a service account's token."""
        unsigned = boto3.session.Session("none", "none", region_name=self.region)
        sts = unsigned.client("sts", endpoint_url=self.endpoint, config=Config(retries={"max_attempts": 1}))
        told = sts.assume_role_with_web_identity(
            RoleArn=role or self.role, RoleSessionName="isolation", WebIdentityToken=token
        )["Credentials"]
        return Keys(told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])

    @property
    def canary(self) -> str:
        return f"{self.reach.own.keys}{CANARY}"


def refused(deed: Callable[[], Any]) -> Deed:
    """``deed``, with the store's no told as the wall's."""

    def tried() -> None:
        try:
            deed()
        except ClientError as error:
            if _is_no(error):
                raise Refused(str(error)) from error
            raise
        except ParamValidationError as error:
            raise SetupError("an attack that was never sent", got=str(error)) from error

    return tried


def _is_no(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if (
        error.operation_name == "AssumeRoleWithWebIdentity"
    ):  # servers differ in what they call a token that they do not take
        return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return status == HTTPStatus.FORBIDDEN or error.response["Error"].get("Code") in _NO


def objects(client: Any, mine: Place, other: Place) -> dict[str, Deed]:
    there, here = other.reach.own.bucket, mine.reach.own.bucket
    key, own = other.canary, f"{mine.reach.own.keys}taken"
    source, target = {"Bucket": there, "Key": key}, {"Bucket": there, "Key": f"{other.reach.own.keys}put"}
    named = {"Objects": [{"Key": key}]}
    log = {"Bucket": there, "Key": f"{other.reach.own.keys}a/b/c/_log/0001.published"}
    return {
        "reads": partial(client.get_object, **source),
        "reads a part": partial(client.get_object, **source, Range="bytes=0-3"),
        "looks at": partial(client.head_object, **source),
        "puts": partial(client.put_object, **target, Body=b"x"),
        "puts if absent": partial(client.put_object, **target, Body=b"x", IfNoneMatch="*"),
        "publishes for": partial(client.put_object, **log, Body=b"{}"),
        "deletes": partial(client.delete_object, **source),
        "deletes many of": lambda: _all_deleted(client.delete_objects(Bucket=there, Delete=named)),
        "copies from": partial(client.copy_object, Bucket=here, Key=own, CopySource=source),
        "copies to": partial(client.copy_object, **target, CopySource={"Bucket": here, "Key": mine.canary}),
        "begins an upload": partial(client.create_multipart_upload, **target),
        "copies a part from": lambda: _copy_part(client, here, own, source),
        "reads the rights of": partial(client.get_object_acl, **source),
        "opens": partial(client.put_object_acl, **source, ACL="public-read"),
        "reads tags of": partial(client.get_object_tagging, **source),
        "tags": partial(client.put_object_tagging, **source, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}),
        "reads by a signed address": lambda: _by_address(client, source),
    }


def listings(client: Any, mine: Place, other: Place) -> dict[str, Deed]:
    there, here = other.reach.own, mine.reach.own
    found: dict[str, Deed] = {}
    for name, bucket, prefix in (
        ("of the other", there.bucket, there.keys),
        ("of the other without the slash", there.bucket, there.keys[:-1]),
        ("of all in its bucket", there.bucket, ""),
        ("of all in its own bucket", here.bucket, ""),
        ("of its own without the slash", here.bucket, here.keys[:-1]),
        ("of half its own name", here.bucket, here.keys[:3]),
        ("of a name that goes on", here.bucket, f"{here.keys[:-1]}2/"),
    ):
        asked = {"Bucket": bucket, "Prefix": prefix}
        found[f"{name}, new"] = partial(client.list_objects_v2, **asked)
        found[f"{name}, old"] = partial(client.list_objects, **asked)
        found[f"{name}, by folders"] = partial(client.list_objects_v2, **asked, Delimiter="/")
        found[f"{name}, versions"] = partial(client.list_object_versions, **asked)
        found[f"{name}, uploads"] = partial(client.list_multipart_uploads, **asked)
    return found


def keys_elsewhere(client: Any, mine: Place, other: Place) -> dict[str, Deed]:
    """Names below its own place that a careless server takes for another's. Not there is as good as denied."""
    own, there = mine.reach.own, other.reach.own
    ways = {
        "up to the root": f"{own.keys}../{other.canary}",
        "up out of the bucket": f"{own.keys}../../{there.bucket}/{other.canary}",
        "from the root": f"../{there.bucket}/{other.canary}",
        "escaped dots": f"{own.keys}%2e%2e/{other.canary}",
        "escaped slashes": f"{own.keys}..%2F{other.canary}",
        "twice escaped": f"{own.keys}%252e%252e%252f{other.canary}",
        "a dot": f"{own.keys}./../../{there.bucket}/{other.canary}",
        "two slashes": f"{own.keys}//../../{there.bucket}/{other.canary}",
        "a backslash": f"{own.keys}..\\..\\{there.bucket}\\{other.canary}",
        "an end of text": f"{own.keys}\x00/../../{there.bucket}/{other.canary}",
        "a wide dot": f"{own.keys}\uff0e\uff0e/{other.canary}",
    }
    reads: dict[str, Deed] = {name: partial(_read_elsewhere, client, own.bucket, key) for name, key in ways.items()}
    source = {f"{name}, as a source": partial(_copied, client, own.bucket, mine, key) for name, key in ways.items()}
    return {**reads, **source}


def _read_elsewhere(client: Any, bucket: str, key: str) -> None:
    try:
        told = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        raise _as_no(error) from error
    if told != TOLD:
        raise Refused("there is something else")


def _copied(client: Any, bucket: str, mine: Place, key: str) -> None:
    try:
        client.copy_object(Bucket=bucket, Key=f"{mine.reach.own.keys}taken", CopySource={"Bucket": bucket, "Key": key})
    except ClientError as error:
        raise _as_no(error) from error


def _as_no(error: ClientError) -> Exception:
    return Refused(str(error)) if _is_no(error) or error.response["Error"].get("Code") in _NOT_THERE else error


def needs(client: Any, one: Place) -> dict[str, Deed]:
    """What a run does: write, publish, read, list, take back."""
    bucket, keys = one.reach.own.bucket, f"{one.reach.own.keys}isolation-{secrets.token_hex(4)}/"
    target = {"Bucket": bucket, "Key": f"{keys}x"}
    return {
        "puts": partial(client.put_object, **target, Body=b"x"),
        "puts if absent": partial(
            client.put_object, Bucket=bucket, Key=f"{keys}{secrets.token_hex(4)}", Body=b"x", IfNoneMatch="*"
        ),
        "reads": partial(client.get_object, Bucket=bucket, Key=one.canary),
        "looks at": partial(client.head_object, Bucket=bucket, Key=one.canary),
        "lists": partial(client.list_objects_v2, Bucket=bucket, Prefix=one.reach.own.keys),
        "lists deeper": partial(client.list_objects_v2, Bucket=bucket, Prefix=keys),
        "lists by folders": partial(client.list_objects_v2, Bucket=bucket, Prefix=one.reach.own.keys, Delimiter="/"),
        "uploads in parts": partial(_upload, client, bucket, f"{keys}parts"),
        "lets an upload go": partial(_let_go, client, bucket, f"{keys}gone"),
        "copies": partial(client.copy_object, **target, CopySource={"Bucket": bucket, "Key": one.canary}),
        "deletes": partial(_delete_own, client, bucket, f"{keys}y"),
        "reads by a signed address": lambda: _by_address(client, {"Bucket": bucket, "Key": one.canary}),
    }


def remove_all(client: Any, one: Place) -> None:
    """Whatever was put here, below the team's own place."""
    bucket, begun = one.reach.own.bucket, f"{one.reach.own.keys}isolation-"
    found = client.list_objects_v2(Bucket=bucket, Prefix=begun).get("Contents") or ()
    for key in (*(each["Key"] for each in found), f"{one.reach.own.keys}taken"):
        client.delete_object(Bucket=bucket, Key=key)


def _upload(client: Any, bucket: str, key: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts, IfNoneMatch="*")
    client.delete_object(Bucket=bucket, Key=key)


def _let_go(client: Any, bucket: str, key: str) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def _delete_own(client: Any, bucket: str, key: str) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=b"x")
    client.delete_object(Bucket=bucket, Key=key)


def _copy_part(client: Any, bucket: str, key: str, source: Mapping[str, str]) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    try:
        client.upload_part_copy(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, CopySource=source)
    finally:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def _all_deleted(told: Mapping[str, Any]) -> None:
    """A batch is answered with 200; what was denied is in its list."""
    denied = [one for one in told.get("Errors") or () if one.get("Code") in _NO]
    if denied:
        raise Refused(str(denied[0]))


def _by_address(client: Any, source: Mapping[str, str]) -> None:
    _open(client.generate_presigned_url("get_object", Params=dict(source), ExpiresIn=60))


def unsigned(mine: Place, other: Place) -> None:
    base = mine.endpoint or f"https://s3.{mine.region}.amazonaws.com"
    _open(f"{base}/{other.reach.own.bucket}/{other.canary}")


def _open(address: str) -> None:
    try:
        with urlopen(address, timeout=20) as told:  # noqa: S310 the store's own address
            told.read()
    except HTTPError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            raise Refused(f"{error.code} {error.reason}") from error
        raise


def use(mine: Place, keys: Keys) -> None:
    """Keys that were given are nothing yet: they count when the store takes them."""
    mine.session(keys).list_objects_v2(Bucket=mine.reach.own.bucket, Prefix=mine.reach.own.keys)


def make_and_remove(client: Any) -> None:
    name = f"try-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    client.delete_bucket(Bucket=name)
