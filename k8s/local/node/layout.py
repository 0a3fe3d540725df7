"""Where everything of a node is: addresses, folders and names, all from the name of the instance. Pure."""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from framework.errors import ConfigError
from k8s.local.commands import Where

NODE: Final = "node1"
DOMAIN: Final = "cluster.local"
_INSTANCE: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_SLOTS: Final = 250
# Of the 107 bytes that a socket's path may have (unix(7)), less the longest that kubelet puts below: where it tells of resources.
_LONGEST: Final = 107 - len("/kubelet/pod-resources/4294967295")


@dataclass(frozen=True, slots=True)
class Layout:
    """Of the instance ``name``, whose state is below ``home``; ``binaries`` has Kubernetes' programs.

    Two instances meet nowhere as long as their ``slot`` differs; it follows from the name, and may be given.
    """

    name: str
    home: Path
    binaries: Path
    slot: int

    @classmethod
    def of(cls, name: str, home: Path, binaries: Path, slot: int | None = None) -> "Layout":
        """Raises: ConfigError for a name that cannot name a device, or a folder whose path leaves no room for a socket's."""
        if not _INSTANCE.fullmatch(name):
            raise ConfigError("not a name for a local cluster", got=name, expected="a-z, 0-9 and '-', at most 20")
        if len(os.fsencode(home.resolve())) > _LONGEST:
            raise ConfigError(
                "the path of a local cluster's folder is too long",
                got=f"{home.resolve()}: {len(os.fsencode(home.resolve()))} bytes",
                expected=f"at most {_LONGEST}: kubelet's sockets are below it, and the kernel takes no longer path of one",
                next_step="use a workspace nearer to the root of the disk",
            )
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % _SLOTS
        return cls(name, home.resolve(), binaries, number if slot is None else slot)

    @property
    def host(self) -> str:
        """This machine, as pods see it."""
        return f"10.213.{self.slot}.1"

    @property
    def address(self) -> str:
        """The node, and its API server."""
        return f"10.213.{self.slot}.2"

    @property
    def pods(self) -> str:
        return f"10.214.{self.slot}.0/24"

    @property
    def services(self) -> str:
        return f"10.215.{self.slot}.0/24"

    @property
    def api_service(self) -> str:
        """The API server, as every pod knows it."""
        return f"10.215.{self.slot}.1"

    @property
    def dns(self) -> str:
        return f"10.215.{self.slot}.10"

    @property
    def device(self) -> str:
        """This machine's end of the cable to the node."""
        return f"tsk{self.slot}h"

    @property
    def cable(self) -> str:
        """The node's end."""
        return f"tsk{self.slot}n"

    @property
    def cgroup(self) -> str:
        return f"teamspark-{self.name}"

    @property
    def where(self) -> Where:
        return Where(self.address, 6443, 2379, 2380, 10257, self.services, self.pki, self.home / "etcd")

    @property
    def pki(self) -> Path:
        return self.home / "pki"

    @property
    def conf(self) -> Path:
        return self.home / "conf"

    @property
    def logs(self) -> Path:
        return self.home / "log"

    @property
    def images(self) -> Path:
        """Archives put here are known to the node when it starts."""
        return self.home / "images"

    @property
    def run(self) -> Path:
        """What is known of the processes of now."""
        return self.home / "run"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.pki / "admin.kubeconfig"

    def to_json(self) -> str:
        return json.dumps(
            {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        )

    @classmethod
    def parse(cls, text: str) -> "Layout":
        found = json.loads(text)
        return cls(found["name"], Path(found["home"]), Path(found["binaries"]), found["slot"])
