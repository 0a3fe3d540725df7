"""What is one for all teams of a cluster: addresses of what pods may reach, versions, who issues identities."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import AfterValidator, Field

from framework.errors import ConfigError
from framework.records import Record
from framework.tenancy.cluster import Image
from framework.tenancy.iam import Issuer
from framework.tenancy.model import Team
from framework.tenancy.quantities import Memory
from framework.textfile import read_text

FILE: Final = "k8s/platform.yaml"
NO_ACCOUNT: Final = "000000000000"
_ACCOUNT: Final = re.compile(r"\d{12}")
_PREFIX: Final = re.compile(r"[a-z0-9][a-z0-9.:_/-]*/")
_DURATION: Final = re.compile(r"[1-9]\d{0,4}[smh]")
_PATH: Final = r"^(/[A-Za-z0-9._-]+)+$"
_ISSUER: Final = re.compile(r"https://[a-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._/-]*)?")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("expected a network, such as 10.0.0.0/16 or 10.0.0.7/32") from None


def _issuer(text: str) -> str:
    if not _ISSUER.fullmatch(text) or text.endswith("/"):
        raise ValueError("expected https://host/path, without a slash at its end")
    return text


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError("expected what images begin with: registry.host/path/")
    return text


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        raise ValueError("expected whole seconds, minutes or hours, such as 15m or 1h")
    return text


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("expected the twelve digits of an AWS account, in quotes")
    return text


class Endpoint(Record):
    """Addresses and a port that pods may open connections to."""

    network: Annotated[str, AfterValidator(_network)]
    port: Annotated[int, Field(ge=1, le=65_535)]


class StoreIdentity(Record):
    """A SeaweedFS that takes roles from ``file``, which it reads when it starts. ``jwks``: where the keys of ``issuer`` are."""

    kind: Literal["seaweedfs"]
    file: Annotated[str, Field(pattern=r"^/")]
    jwks: Annotated[str, Field(pattern=r"^https?://\S+$")]
    session: Annotated[str, AfterValidator(_duration)] = "1h"


class NodeFolder(Record):
    """Folders of a cluster's only node: ``path``/TEAM. For a cluster on one machine."""

    kind: Literal["node"]
    path: Annotated[str, Field(pattern=_PATH)]


class NfsExport(Record):
    """Folders that a server exports: ``path``/TEAM."""

    kind: Literal["nfs"]
    server: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]+$")]
    path: Annotated[str, Field(pattern=_PATH)]


class EfsFiles(Record):
    """An EFS, and each team's access point (``teamspark team render --layer store`` has what to make it of)."""

    kind: Literal["efs"]
    file_system: Annotated[str, Field(pattern=r"^fs-[0-9a-f]{8,40}$")]
    access_points: Mapping[str, Annotated[str, Field(pattern=r"^fsap-[0-9a-f]{8,40}$")]]


Files = Annotated[NodeFolder | NfsExport | EfsFiles, Field(discriminator="kind")]


class Platform(Record):
    """The file ``k8s/platform.yaml``. ``api``, ``s3`` and ``airflow``: Kubernetes' API server, the S3 port (never a filer's),
    and Airflow's execution API, which only Airflow's workers reach.

    ``operators``: groups who may look into teams' pods. ``airflow_images``: prefixes of what Airflow's workers run.
    ``pod_security``: the version whose rules of the level ``restricted`` hold. ``issuer`` of service accounts' tokens.
    ``account``: the digits of AWS' account; zeros where there is none. ``store_identity``: a store that is not AWS'.
    ``scratch``: how much of a node's disk one container may fill. ``cache_image``: what teams' caches run in; without it they have none here. ``files``: where file systems of teams are.
    """

    pod_security: Annotated[str, Field(pattern=r"^v1\.\d{1,2}$")] = "v1.34"
    api: tuple[Endpoint, ...] = Field(min_length=1)
    s3: tuple[Endpoint, ...] = ()
    airflow: tuple[Endpoint, ...] = ()
    issuer: Annotated[str, AfterValidator(_issuer)]
    audience: Annotated[str, Field(min_length=1)] = "sts.amazonaws.com"
    operators: tuple[str, ...] = ("system:masters",)
    airflow_images: tuple[Annotated[str, AfterValidator(_prefix)], ...] = ()
    account: Annotated[str, AfterValidator(_account)] = NO_ACCOUNT
    store_identity: StoreIdentity | None = None
    scratch: Memory = "20Gi"
    cache_image: Image | None = None
    files: Files | None = None

    def caches(self, team: Team) -> bool:
        """Whether the team has a cache in the cluster: its file wants one, and not somebody's at an address."""
        return self.cache_image is not None and team.is_tenant and team.cache is not None and team.cache.master is None

    @property
    def trusted(self) -> Issuer:
        """Who signs service accounts' tokens, as the store knows it."""
        return Issuer(self.issuer, self.audience, self.account)


def load_platform(workspace: Path) -> Platform:
    """Raises: ConfigError."""
    file = workspace / FILE
    if not file.is_file():
        raise ConfigError(
            "there is no platform file",
            where=str(file),
            expected="what is one for all teams: api, issuer and the rest",
            next_step="write it: k8s/OPERATING.md has one to begin with",
        )
    try:
        data = yaml.safe_load(read_text(file))
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(file), got=getattr(error, "problem", None)) from error
    return Platform.parse(data, where=str(file))
