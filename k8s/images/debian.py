"""The lowest layer: Debian with Python and tini, from this machine's own source of packages, and a user to run as."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from framework.errors import SetupError
from k8s.images.running import require_tool, run
from k8s.images.trees import compiled

DEBIAN: Final = "bookworm"
DEBIAN_PACKAGES: Final = ("python3", "tini")
USER: Final = 185
"""The number that Spark's own images run as."""
HOME: Final = "/opt/teamspark"
_EMPTIED: Final = (
    "dev", "var/cache", "var/lib/apt/lists", "var/log",
    "usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man",
)  # fmt: skip
# The first two tell of the machine that built; an address of packages may hold a password.
_BLANKED: Final = ("etc/hostname", "etc/resolv.conf", "etc/apt/sources.list")
_ELSEWHERE: Final = "build on Debian as root, or by k8s/images/Dockerfile"


def make_debian(environ: Mapping[str, str], tree: Path) -> None:
    """Fill ``tree``. Raises: SetupError for a tool or right that is missing, or packages that do not come."""
    debootstrap = require_tool("debootstrap", environ, "apt-get install debootstrap")
    if os.geteuid():
        raise SetupError("debootstrap needs root", got=f"user {os.geteuid()}", next_step=_ELSEWHERE)
    include = f"--include={','.join(DEBIAN_PACKAGES)}"
    # It mounts things in the tree: in a space of its own they are gone whatever ends it.
    apart = [require_tool("unshare", environ, "apt-get install util-linux"), "--mount"]
    command: list[str | Path] = [debootstrap, "--variant=minbase", include, DEBIAN, tree, _mirror(environ)]
    run([*apart, *command], environ, what="Debian cannot be unpacked")
    _tidied(tree)
    with (tree / "etc/passwd").open("a") as users, (tree / "etc/group").open("a") as groups:
        users.write(f"spark:x:{USER}:{USER}::{HOME}/work:/usr/sbin/nologin\n")
        groups.write(f"spark:x:{USER}:\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    compiled(tree / "usr/lib", within=tree, at="/")


def _mirror(environ: Mapping[str, str]) -> str:
    apt = require_tool("apt-get", environ, _ELSEWHERE)
    told = run([apt, "indextargets", "--format", "$(SITE)"], environ, what="apt names no source")
    sites = [site for site in sorted(set(told.split())) if "security" not in site]
    if not sites:
        raise SetupError("apt has no source of packages", next_step="name one in /etc/apt, then: apt-get update")
    return sites[0]


def _tidied(tree: Path) -> None:
    for folder in _EMPTIED:
        for path in (tree / folder).iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name in _BLANKED:
        (tree / name).unlink(missing_ok=True)
        (tree / name).touch()
    for path in tree.rglob("*"):
        mode = path.lstat().st_mode
        if path.is_file() and not path.is_symlink() and mode & 0o6000:
            path.chmod(mode & 0o1777)  # nobody in a container becomes another
