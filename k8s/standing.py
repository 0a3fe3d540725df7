"""How a team's pods stand to its store: by a role that they take on with a token of their own, or by a volume and a user. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from framework.errors import ConfigError
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from framework.tenancy.places import DEFAULT_REGION, BucketStore, EfsStore
from k8s.identity.documents import role_arn
from k8s.platform import Platform
from k8s.render.objects import Obj

TOKENS: Final = "/var/run/secrets/teamspark"
USER: Final = 185
_NAMES: Final = "teamspark.io/names"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who pods are at the store: a role taken on with a token of theirs. ``env``: more that its clients want."""

    role: str
    audience: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mounted:
    """A team's claim, where its store's root is in its pods, and the user and group that its files are of."""

    claim: str
    root: str
    uid: int = USER
    gid: int = USER


Standing: TypeAlias = Identity | Mounted | None
"""None: a store that pods reach as they are."""


def standing_of(team: Team, platform: Platform) -> Standing:
    """As the team file and the platform's say. Raises: ConfigError for a file system of root's, as whom no pod runs."""
    match team.store:
        case BucketStore(region=region, endpoint=endpoint):
            env = {"AWS_REGION": region or DEFAULT_REGION}
            if endpoint:
                env["AWS_ENDPOINT_URL_STS"] = endpoint
            return Identity(role_arn(platform, team.team), platform.audience, env)
        case EfsStore(uid=0) if platform.files is not None:
            raise ConfigError(
                "a team's pods never run as root",
                where=f"{team.team}.yaml: store.uid",
                got="0",
                expected="a user of the team's own",
                next_step="give the folder to that user, and say its uid and gid",
            )
        case EfsStore(root=root, uid=uid, gid=gid) if platform.files is not None:
            return Mounted(Names(team.team).claim, root, USER if uid is None else uid, USER if gid is None else gid)
    return None


def environment(standing: Standing) -> list[Obj]:
    """Variables of a container, as Kubernetes has them."""
    if not isinstance(standing, Identity):
        return []
    values = {
        "AWS_ROLE_ARN": standing.role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{TOKENS}/token",
        "AWS_ROLE_SESSION_NAME": "teamspark",
        **standing.env,
    }
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def user(standing: Standing) -> dict[str, Any]:
    """The security context of a pod: the store's user, where that is a file system's."""
    uid, gid = (standing.uid, standing.gid) if isinstance(standing, Mounted) else (USER, USER)
    return {
        "runAsNonRoot": True, "runAsUser": uid, "runAsGroup": gid, "fsGroup": gid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


def annotations(standing: Standing) -> dict[str, str]:
    """Of a pod: the name of its user, which images know only by number. Java's login asks for one, and for its home."""
    if not isinstance(standing, Mounted):
        return {}
    lines = ("root:x:0:0::/root:/usr/sbin/nologin", f"spark:x:{standing.uid}:{standing.gid}::/tmp:/usr/sbin/nologin")
    return {_NAMES: "\n".join(lines) + "\n"}


def mounts(standing: Standing) -> list[Obj]:
    """Of a container."""
    match standing:
        case Identity():
            return [{"name": "identity", "mountPath": TOKENS, "readOnly": True}]
        case Mounted(root=root):
            names = {"name": "names", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True}
            return [{"name": "store", "mountPath": root}, names]
    return []


def volumes(standing: Standing) -> list[Obj]:
    """Of a pod."""
    match standing:
        case Identity(audience=audience):
            token = {"serviceAccountToken": {"path": "token", "audience": audience, "expirationSeconds": 3600}}
            return [{"name": "identity", "projected": {"sources": [token]}}]
        case Mounted(claim=claim):
            passwd = {"path": "passwd", "fieldRef": {"fieldPath": f"metadata.annotations['{_NAMES}']"}}
            return [
                {"name": "store", "persistentVolumeClaim": {"claimName": claim}},
                {"name": "names", "downwardAPI": {"items": [passwd]}},
            ]
    return []
