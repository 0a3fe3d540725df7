"""What a refusal of the API server means: an error of ours, whose class says whether to ask again. Pure."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import yaml

from framework.errors import ClusterUnavailable, ConfigError, NoRoom, PolicyError, SetupError, TeamsparkError, clip

_MESSAGE_CHARS: Final = 600
_REFUSED: Final = " is forbidden: "
_NO_QUOTA: Final = "exceeded quota: "
_QUOTA_BUSY: Final = "Operation cannot be fulfilled on resourcequotas "
_NO_POLICY: Final = "failed to configure policy: "
_NO_PARAMETERS: Final = "no params found"
_NO_RIGHT: Final = re.compile(r' is forbidden: User ".*" cannot [a-z]+ resource ')


class Conflict(ConfigError):
    """Somebody else was first: the name is taken, or the object is not any more what it was."""


class NotAllowed(PolicyError):
    """No role gives this right, or a policy lacks its parameters. An API server says so too of what it has not read yet."""


class Stranger(SetupError):
    """Nobody knows this identity. An API server that has just started says so too, until it has read the accounts."""


_NOT_TAKEN: Final = (ConfigError, "the cluster does not take it", None)
_BY_STATUS: Final[Mapping[int, tuple[type[TeamsparkError], str, str | None]]] = {
    HTTPStatus.CONFLICT: (Conflict, "the cluster has another already", None),
    HTTPStatus.FORBIDDEN: (PolicyError, "the cluster denies it", None),
    HTTPStatus.UNAUTHORIZED: (
        Stranger, "the cluster does not know this identity", "renew the kubeconfig's user",
    ),
    HTTPStatus.BAD_REQUEST: _NOT_TAKEN,
    HTTPStatus.NOT_FOUND: _NOT_TAKEN,
    HTTPStatus.UNPROCESSABLE_ENTITY: _NOT_TAKEN,
}  # fmt: skip


def meaning(status: int, reason: str, body: str, *, where: str) -> TeamsparkError:
    """``body``: of the answer, a ``Status`` of Kubernetes in JSON."""
    told = clip(_message(body) or f"{status} {reason}", _MESSAGE_CHARS)
    kind, what, next_step = _kind_of(status, told)
    return kind(what, where=where, got=told, next_step=next_step)


def _kind_of(status: int, told: str) -> tuple[type[TeamsparkError], str, str | None]:
    if _NO_QUOTA in told:
        return NoRoom, "the team's quota is used up", "wait until others have ended"
    if _QUOTA_BUSY in told:  # two counted at one time; a 409, as if the name were taken
        return ClusterUnavailable, "the team's quota is being counted", "run again"
    if _NO_POLICY in told:  # all is denied until an API server that has just started knows its policies' parameters
        return ClusterUnavailable, "the cluster's policies are not ready", "run again in a minute"
    if _NO_RIGHT.search(told) or _NO_PARAMETERS in told:
        return NotAllowed, "the cluster denies it", None
    if _REFUSED in told:  # admission that lacks its parameters answers 422
        return PolicyError, "the cluster denies it", None
    return _BY_STATUS.get(status, (ClusterUnavailable, "the cluster did not do it", "run again"))


def _message(body: str) -> str:
    """What the API server says, without the headers around it."""
    try:
        return str(yaml.safe_load(body)["message"])
    except (yaml.YAMLError, TypeError, KeyError):
        return ""
