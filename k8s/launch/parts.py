"""What the containers of every launch have in common. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from framework.launch.base import CONFIG, CONNECTIONS, RESULT, LaunchRequest, Share
from k8s.render.objects import Obj

FILES: Final = "/etc/teamspark"
SECRETS: Final = "/etc/teamspark-connections"
MESSAGE: Final = "/dev/termination-log"
PLATFORM: Final = "platform.json"
GRACE_S: Final = 10
_PLACES: Final = {CONFIG: f"{FILES}/config.json", CONNECTIONS: f"{SECRETS}/connections.json", RESULT: MESSAGE}


def given(word: str) -> str:
    """``word`` of a command, or the path that it stands for."""
    return _PLACES.get(word, word)


def common() -> dict[str, Any]:
    """Of every pod of a run."""
    return {"enableServiceLinks": False}


def amounts(share: Share) -> dict[str, str]:
    return {"cpu": share.cpu, "memory": share.memory}


def variables(values: Mapping[str, str]) -> list[Obj]:
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def files_mount() -> Obj:
    return {"name": "files", "mountPath": FILES, "readOnly": True}


def scratch_mount() -> Obj:
    return {"name": "scratch", "mountPath": "/tmp"}  # noqa: S108  the pod's own


def secrets_mount(request: LaunchRequest) -> list[Obj]:
    if request.connections is None:
        return []
    return [{"name": "connections", "mountPath": SECRETS, "readOnly": True}]
