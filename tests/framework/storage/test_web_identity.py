"""A run under a role that it takes on with its service account's token: keys that expire while it runs, and are renewed."""

import base64
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from framework.errors import SetupError, TeamsparkError
from framework.identity import Epoch
from framework.servers import seaweed as server
from framework.servers.identities import REGION, administrator
from framework.storage.keys import Keys
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket, connect
from tests.framework.storage.tries import Try, content_of, quick_log, write_and_publish
from tests.servers.oidc import AUDIENCE, Issuer, issuing
from tests.servers.seaweed import client_of

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

BUCKET = "lake"
SESSION_S = 4
ACCOUNT = "system:serviceaccount:team-a:spark"
ROLE = "arn:aws:iam::role/team-a"


def iam_of(issuer: Issuer) -> str:
    """One role: below ``team-a/`` of the bucket everything, elsewhere nothing; sessions of a few seconds."""
    arn = f"arn:aws:s3:::{BUCKET}"
    statements = [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": [f"{arn}/team-a/*"],
        },
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": [arn],
            "Condition": {"StringLike": {"s3:prefix": ["team-a/*"]}},
        },
    ]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": "k8s"},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": {"StringEquals": {"oidc:sub": ACCOUNT}},
    }
    oidc = {"issuer": issuer.url, "clientId": AUDIENCE, "jwksUri": f"{issuer.url}/keys", "scopes": ["openid"]}
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return json.dumps(
        {
            "sts": {
                "tokenDuration": f"{SESSION_S}s",
                "maxSessionLength": "12h",
                "issuer": "seaweedfs-sts",
                "signingKey": key,
            },
            "providers": [{"name": "k8s", "type": "oidc", "enabled": True, "config": oidc}],
            "policy": {"defaultEffect": "Deny", "storeType": "memory"},
            "policies": [{"name": "team-a-data", "document": {"Version": "2012-10-17", "Statement": statements}}],
            "roles": [
                {
                    "roleName": "team-a",
                    "roleArn": ROLE,
                    "attachedPolicies": ["team-a-data"],
                    "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
                }
            ],
        }
    )


@dataclass(frozen=True)
class Service:
    endpoint: str
    issuer: Issuer

    def bucket(self, prefix: str = "team-a") -> Bucket:
        return Bucket(BUCKET, prefix, self.endpoint, REGION)

    def session(self, token: str) -> Keys:
        """Keys of one session, which nobody renews."""
        import boto3

        sts = boto3.session.Session(region_name=REGION).client("sts", endpoint_url=self.endpoint)
        told = sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="one", WebIdentityToken=token)
        given: Any = told["Credentials"]
        return Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    home, admin = Path(tempfile.mkdtemp(prefix="weed-")), administrator()
    try:
        with issuing() as issuer, server.running(home, (admin,), iam=iam_of(issuer)) as live:
            client_of(live.endpoint, admin.keys).create_bucket(Bucket=BUCKET)
            yield Service(live.endpoint, issuer)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def token(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that Kubernetes gives a pod whose service account has a role; the file that it renews."""
    file = tmp_path / "token"
    file.write_text(service.issuer.token(ACCOUNT))
    settings = {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ENDPOINT_URL_STS": service.endpoint,
        "AWS_DEFAULT_REGION": REGION,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return file


def refused(store: S3Store) -> TeamsparkError:
    with pytest.raises(TeamsparkError) as told:
        store.read("/flights/x")
    return told.value


@pytest.mark.usefixtures("token")
def test_a_run_outlives_its_keys(service: Service) -> None:
    store = S3Store(service.bucket())
    first = write_and_publish(store, Try.of(1), seen=frozenset())
    time.sleep(SESSION_S + 1)

    second = write_and_publish(store, Try(Epoch("one", 2, 1), 2, b"later"), seen=None)

    assert quick_log(store).newest() == second
    assert (first.number, content_of(store, second)) == (1, b"later")


def test_witness_keys_that_nobody_renews_end_and_it_is_told(service: Service) -> None:
    keys = service.session(service.issuer.token(ACCOUNT))
    store = S3Store(service.bucket(), connect=lambda bucket: connect(bucket, keys), pause=lambda _: None)
    store.put_if_absent(f"/flights/{secrets.token_hex(4)}", b"x")
    time.sleep(SESSION_S + 1)

    told = refused(store)

    # AWS says ExpiredToken, which is another error; this server forgets a session that has ended.
    assert isinstance(told, SetupError)
    assert "does not know this access key" in str(told)
    assert keys.secret not in str(told)


@pytest.mark.usefixtures("token")
def test_another_teams_place_is_denied(service: Service) -> None:
    told = refused(S3Store(service.bucket("team-b")))

    assert isinstance(told, SetupError)
    assert "denies access" in str(told)


@pytest.mark.parametrize(
    ("subject", "ttl_s"), [(ACCOUNT, -30), ("system:serviceaccount:team-b:spark", 900)], ids=["expired", "foreign"]
)
def test_a_token_that_is_not_taken_is_told_and_not_shown(
    service: Service, token: Path, subject: str, ttl_s: int
) -> None:
    token.write_text(service.issuer.token(subject, ttl_s=ttl_s))

    told = refused(S3Store(service.bucket(), pause=lambda _: None))

    assert token.read_text() not in str(told)
    assert "credentials" in str(told) or "denies access" in str(told)
    assert told.next_step
