"""A role at a store, for a token that Kubernetes signed (AWS STS, AssumeRoleWithWebIdentity)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore import UNSIGNED
from botocore.config import Config

_SESSION: Final = "teamspark"


@dataclass(frozen=True, slots=True)
class Sts:
    """Where it is asked; without ``endpoint`` it is AWS'."""

    endpoint: str | None
    region: str


def take_role(role: str, token: str, sts: Sts) -> Mapping[str, Any]:
    """STS' ``Credentials``. The token is the proof, so nothing is signed. Raises: botocore's errors."""
    config = Config(signature_version=UNSIGNED)
    client = boto3.client("sts", endpoint_url=sts.endpoint, region_name=sts.region, config=config)
    taken = client.assume_role_with_web_identity(RoleArn=role, RoleSessionName=_SESSION, WebIdentityToken=token)
    found: Mapping[str, Any] = taken["Credentials"]
    return found
