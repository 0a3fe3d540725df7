"""Addresses of pods before the API server has them: kubelet tells it once a second, by when a program has asked somebody.

What adds a pod to the network keeps in a file what it was told, and what came of it (containernetworking/cni, ``libcni``: its
cache of results). The file goes when the pod does.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from k8s.render.objects import Obj

LOOPBACK: Final = "lo"
_UID: Final = "K8S_POD_UID"


def stamp(folder: Path) -> int:
    """What changes when a file comes or goes; 0 without such a folder."""
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def addresses_in(folder: Path) -> tuple[Mapping[str, str], bool]:
    """Addresses by the pods' UIDs; and whether every file was whole: one that is being written is not."""
    found: dict[str, str] = {}
    whole = True
    for path in sorted(folder.glob("*")):
        try:
            told = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue  # its pod has gone meanwhile
        except ValueError:
            whole = False
            continue
        if told.get("ifName") != LOOPBACK:
            found |= _address(told)
    return found, whole


def _address(told: Any) -> dict[str, str]:
    uid = dict(told.get("cniArgs") or ()).get(_UID)
    first = next(iter((told.get("result") or {}).get("ips") or ()), None)
    return {uid: str(first["address"]).partition("/")[0]} if uid and first else {}


def with_addresses(pods: tuple[Obj, ...], addresses: Mapping[str, str]) -> tuple[Obj, ...]:
    """``pods``, each with its address where the API server has none of it."""
    return tuple(_with_address(one, addresses.get(one["metadata"].get("uid", ""))) for one in pods)


def _with_address(one: Obj, address: str | None) -> Obj:
    status = one.get("status") or {}
    return one if address is None or status.get("podIP") else {**one, "status": {**status, "podIP": address}}
