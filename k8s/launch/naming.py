"""How pods of a run are told apart: labels to find them by, annotations that say whose they are. Pure."""

import hashlib
import json
from dataclasses import asdict
from typing import Final

from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest
from k8s.render.objects import GROUP, MANAGED, TEAM_LABEL, Obj

LAUNCH: Final = f"{GROUP}/launch"
RUN: Final = f"{GROUP}/run"
ROLE: Final = f"{GROUP}/role"
DRIVER: Final = "driver"
EXECUTOR: Final = "executor"
IDENTITY: Final = f"{GROUP}/identity"
NEEDS: Final = f"{GROUP}/needs"
# Spark adds "-exec-" and a number of up to ten digits, and a label has 63.
_PREFIX_CHARS: Final = 47


def run_label(key: RunKey) -> str:
    """Of all launches of one run key. A label is too short for a key, so whose a pod is stands in its annotation."""
    return hashlib.sha256(json.dumps(asdict(key), sort_keys=True).encode()).hexdigest()[:40]


def labels(request: LaunchRequest, role: str) -> dict[str, str]:
    key = request.key
    return {**MANAGED, TEAM_LABEL: key.team, LAUNCH: request.name, RUN: run_label(key), ROLE: role}


def identity_text(key: RunKey, epoch: Epoch, clear_number: int) -> str:
    return json.dumps({"key": asdict(key), "epoch": asdict(epoch), "clear_number": clear_number}, sort_keys=True)


def identity_of(pod: Obj) -> tuple[RunKey, Epoch, int] | None:
    """Whose launch a driver's pod is; None when it says nothing that we would have written."""
    try:
        facts = json.loads(pod["metadata"]["annotations"][IDENTITY])
        return RunKey(**facts["key"]), Epoch(**facts["epoch"]), int(facts["clear_number"])
    except (KeyError, TypeError, ValueError):
        return None


def executor_prefix(name: str) -> str:
    """What the names of a launch's executors begin with."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return name if len(name) <= _PREFIX_CHARS else f"{name[: _PREFIX_CHARS - 13].rstrip('-')}-{digest}"
