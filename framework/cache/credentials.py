"""Credentials of a store for a program that knows no web identities: a role's, for the token of the pod that it runs in.

    python -m framework.cache.credentials --role ARN --token FILE [--endpoint URL] [--region NAME]

Prints what AWS' SDKs expect of a ``credential_process`` (AWS SDKs and Tools Reference Guide, "Process credential provider"). They
ask again before what they were given expires; nothing is written down.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from framework.errors import clip
from framework.storage.s3sts import Sts, take_role
from framework.tenancy.places import DEFAULT_REGION

PROFILES: Final = "AWS_CREDENTIAL_PROFILES_FILE"
"""Where AWS' SDK for Java, version 1, looks for profiles."""


def profile(environ: Mapping[str, str], python: str = sys.executable) -> str | None:
    """The text of a profiles file that asks this program, for a pod with a web identity; None for one without."""
    role, token = environ.get("AWS_ROLE_ARN"), environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
    if not role or not token:
        return None
    told = {
        "role": role,
        "token": token,
        "endpoint": environ.get("AWS_ENDPOINT_URL_STS"),
        "region": environ.get("AWS_REGION"),
    }
    options = " ".join(f"--{name} {value}" for name, value in told.items() if value)
    return f"[default]\ncredential_process = {python} -m framework.cache.credentials {options}\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Ask once, and print the answer; 1 when there is none."""
    told = _arguments().parse_args(argv)
    try:
        print(json.dumps(answer(take_role(told.role, told.token.read_text(), Sts(told.endpoint, told.region)))))
    except Exception as error:  # noqa: BLE001  whoever asked shows the one line
        print(f"no credentials for {told.role}: {type(error).__name__}: {clip(str(error))}", file=sys.stderr)
        return 1
    return 0


def answer(given: Mapping[str, Any]) -> dict[str, object]:
    """``given``: STS' ``Credentials``, as boto3 has them."""
    return {
        "Version": 1,
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretAccessKey"],
        "SessionToken": given["SessionToken"],
        "Expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framework.cache.credentials", description=__doc__)
    parser.add_argument("--role", required=True, help="the role to take on")
    parser.add_argument("--token", type=Path, required=True, help="the pod's token")
    parser.add_argument("--endpoint", help="of STS, where that is not AWS'")
    parser.add_argument("--region", default=DEFAULT_REGION, help="of STS")
    return parser


if __name__ == "__main__":
    sys.exit(main())
