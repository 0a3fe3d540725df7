"""The volume of a team whose store is a file system, bound to the team's claim before anybody else can claim it."""

from collections.abc import Iterator
from typing import Any, Final, assert_never

from framework.errors import ConfigError
from framework.storage.mounts import DEMANDED
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from framework.tenancy.places import EfsStore
from k8s.platform import EfsFiles, NfsExport, NodeFolder, Platform
from k8s.render.amounts import NOMINAL
from k8s.render.objects import TEAM_LABEL, Obj, thing
from k8s.standing import standing_of

_MODES: Final = ["ReadWriteMany"]


def volume(team: Team, platform: Platform) -> Iterator[Obj]:
    """Volume and claim; nothing for a store elsewhere, or where the platform file says nothing of file systems.

    Raises: ConfigError for a team without an access point, or whose files are root's.
    """
    if not has_volume(team, platform):
        return
    standing_of(team, platform)  # told before anything is applied
    names = Names(team.team)
    labels = {TEAM_LABEL: team.team}
    yield thing("PersistentVolume", names.volume, labels=labels, spec={
        "capacity": {"storage": NOMINAL},
        "accessModes": _MODES,
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": names.namespace, "name": names.claim},
        **_source(team.team, platform),
    })  # fmt: skip
    yield thing("PersistentVolumeClaim", names.claim, namespace=names.namespace, labels=labels, spec={
        "accessModes": _MODES, "storageClassName": "", "volumeName": names.volume,
        "resources": {"requests": {"storage": NOMINAL}},
    })  # fmt: skip


def has_volume(team: Team, platform: Platform) -> bool:
    return isinstance(team.store, EfsStore) and platform.files is not None


def _source(team: str, platform: Platform) -> dict[str, Any]:
    """Of the team's own folder, never of the whole."""
    match platform.files:
        case NodeFolder(path=path):
            return {"hostPath": {"path": f"{path}/{team}", "type": "Directory"}}
        case NfsExport(server=server, path=path):
            return {"nfs": {"server": server, "path": f"{path}/{team}"}, "mountOptions": DEMANDED.split(",")}
        case EfsFiles(file_system=system, access_points=points):
            if team not in points:
                raise ConfigError(
                    "this team has no access point",
                    where="files.access_points of the platform file",
                    got=", ".join(sorted(points)) or "none",
                    expected=team,
                    next_step=f"make one of what `teamspark team render {team} --layer store` prints, and add its name",
                )
            return {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": f"{system}::{points[team]}"}}
        case None:
            raise AssertionError("asked only where there are file systems")
        case other:
            assert_never(other)
