"""A registry, asked and filled by skopeo: what it says when it refuses becomes an error of ours.

Credentials are skopeo's to find, where ``skopeo login`` or ``docker login`` put them: no command line and no message has them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from framework.errors import ConfigError, FinalError, PolicyError, SetupError
from k8s.images.running import ended, require_tool

_ABSENT: Final = re.compile(r"manifest unknown|name unknown|repository name not known|StatusCode: 404")
_LAYERLESS: Final = re.compile(r"reading blob sha256:[0-9a-f]{64}: open .*: no such file or directory")
Refusal = tuple[re.Pattern[str], type[FinalError], str, str]
_REFUSALS: Final[tuple[Refusal, ...]] = (
    (
        re.compile(r"unauthorized|authentication required|invalid username/password|StatusCode: 401"),
        ConfigError,
        "the registry takes no image without a login, or not with this one",
        "skopeo login {host}, or docker login {host}; REGISTRY_AUTH_FILE names another file of logins",
    ),
    (
        re.compile(r"\bdenied\b|[Ff]orbidden|StatusCode: 403"),
        PolicyError,
        "this login may not push there",
        "ask who runs {host} for the right to push, or name another place: --to",
    ),
    (
        re.compile(r"x509|tls: |HTTP response to HTTPS client|certificate"),
        SetupError,
        "the registry shows no certificate that this machine trusts",
        "put its authority into /etc/containers/certs.d/{host}/ca.crt, or name it: SSL_CERT_FILE",
    ),
    (
        re.compile(r"no such host|server misbehaving|dial tcp|i/o timeout|connection refused|network is unreachable"),
        SetupError,
        "no registry answers there",
        "correct the name, or see that this machine reaches {host}",
    ),
)


class LayersMissing(SetupError):
    """The archive leaves out layers that the registry has not."""


@dataclass(frozen=True, slots=True)
class Registry:
    """``environ`` says where logins and trusted authorities are; images are unpacked in ``scratch``."""

    environ: Mapping[str, str]
    scratch: Path

    def digest(self, name: str) -> str | None:
        """The digest of what the registry has under ``name``; None when nothing is. Raises: as ``copy``."""
        done = self._skopeo("inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{name}")
        if done.returncode == 0:
            return done.stdout.strip()
        if _ABSENT.search(done.stderr):
            return None
        raise refusal(done.stderr, name)

    def copy(self, archive: Path, tag: str, name: str) -> None:
        """The image ``tag`` of ``archive`` under ``name``, its bytes as they are. What the registry has is not sent.

        Raises: SetupError, ConfigError and PolicyError for a registry that refuses; LayersMissing.
        """
        source, target = f"oci-archive:{archive}:{tag}", f"docker://{name}"
        done = self._skopeo("copy", "--quiet", "--preserve-digests", source, target)
        if done.returncode:
            raise refusal(done.stderr, name)

    def _skopeo(self, *words: str) -> CompletedProcess[str]:
        tool = require_tool("skopeo", self.environ, "apt-get install skopeo")
        # Signatures are asked for of what is taken from strangers; this is ours.
        command: list[str | Path] = [tool, "--insecure-policy", "--tmpdir", self.scratch, *words]
        return ended(command, self.environ, what="the registry was not asked")


def refusal(said: str, name: str) -> FinalError:
    """What skopeo said of ``name``, as an error."""
    last = said.strip().splitlines()[-1:] or ["nothing"]
    if _LAYERLESS.search(said):
        return LayersMissing("the registry lacks layers that this archive leaves out", where=name)
    for pattern, error, told, remedy in _REFUSALS:
        if pattern.search(said):
            return error(told, where=name, got=last[0], next_step=remedy.format(host=name.partition("/")[0]))
    return SetupError("the registry did not do it", where=name, got=last[0])
