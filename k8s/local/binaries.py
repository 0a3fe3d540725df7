"""Kubernetes' own programs for this machine, built from Go modules: versions pinned by each ``go.mod``, contents by
``go.sum``. Once for a machine; a build takes minutes, and an archive that somebody built before saves them.
"""

import fcntl
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from framework.errors import SetupError, clip
from framework.home import cache_home

VERSION: Final = "1.34.4"
PROGRAM: Final = "hyperkube"
PROGRAMS: Final = (PROGRAM, "coredns", "pause")
"""All of Kubernetes and its etcd; names in the cluster; what holds a pod's namespaces."""
ARCHIVE: Final = "TEAMSPARK_KUBERNETES_ARCHIVE"
"""The variable that names a ``.tar.xz`` with some of the programs."""
_BUILD_S: Final = 3600
_PACKAGE: Final = "k8s.io/component-base/version"
Notice = Callable[[str], None]


def home_of(environ: Mapping[str, str]) -> Path:
    """Where the programs of this user are."""
    return cache_home(environ) / "kubernetes" / VERSION


def are_there(environ: Mapping[str, str]) -> bool:
    return all((home_of(environ) / name).is_file() for name in PROGRAMS)


def ensure_binaries(environ: Mapping[str, str], notice: Notice) -> Path:
    """The folder with the programs; what is not there is unpacked or built. ``notice`` hears that it takes minutes.

    Raises: SetupError when there is neither an archive nor Go, or a build fails, with the end of what it printed.
    """
    home = home_of(environ)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds it done
        for name in PROGRAMS:
            if not (home / name).is_file():
                _make(name, home, environ, notice)
    return home


def _make(name: str, home: Path, environ: Mapping[str, str], notice: Notice) -> None:
    with TemporaryDirectory(dir=home) as folder:
        made = Path(folder) / name
        archive = environ.get(ARCHIVE)
        if archive is None or not _unpack(Path(archive), made):
            _build(Path(folder), name, environ, notice)
        if name == PROGRAM:
            _require_version(made)
        made.rename(home / name)


def _unpack(archive: Path, made: Path) -> bool:
    """Whether the archive has it."""
    try:
        with tarfile.open(archive) as packed:
            member = next((one for one in packed if Path(one.name).name == made.name and one.isfile()), None)
            content = None if member is None else packed.extractfile(member)
            if content is None:
                return False
            with made.open("wb") as out:
                shutil.copyfileobj(content, out)
    except (OSError, tarfile.TarError) as error:
        raise SetupError(
            "the archive cannot be read", where=str(archive), got=clip(str(error)), next_step=f"mend or unset {ARCHIVE}"
        ) from error
    made.chmod(0o755)
    return True


def _build(folder: Path, name: str, environ: Mapping[str, str], notice: Notice) -> None:
    go = shutil.which("go", path=environ.get("PATH"))
    if go is None:
        raise SetupError(
            f"{name} cannot be built",
            got="there is no go on PATH",
            expected=f"Go 1.24 or later, or an archive with {', '.join(PROGRAMS)} of Kubernetes {VERSION}",
            next_step=f"install Go (https://go.dev/dl), or set {ARCHIVE}",
        )
    if name == PROGRAM:
        notice(f"building Kubernetes {VERSION}: six to fifteen minutes, once for this machine")
    with as_file(files("k8s.local") / name) as source:
        shutil.copytree(source, folder / "source")
    built = subprocess.run(
        [go, "build", "-p", "2", "-trimpath", "-ldflags", _link_flags(name), "-o", str(folder / name), "."],
        cwd=folder / "source",
        env={**environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if built.returncode:
        raise SetupError(
            f"{name} cannot be built", got=f"go build ended with {built.returncode}",
            details=built.stderr.splitlines()[-8:], next_step="mend what it names, and run again",
        )  # fmt: skip


def _link_flags(name: str) -> str:
    if name != PROGRAM:
        return "-s -w"
    facts = {
        "gitVersion": f"v{VERSION}", "gitMajor": "1", "gitMinor": VERSION.split(".")[1], "gitTreeState": "clean",
    }  # fmt: skip
    return " ".join(["-s -w", *(f"-X {_PACKAGE}.{key}={value}" for key, value in facts.items())])


def _require_version(made: Path) -> None:
    told = subprocess.run([str(made), "kubelet", "--version"], capture_output=True, text=True, check=False)
    if told.stdout.strip() != f"Kubernetes v{VERSION}":
        raise SetupError(
            "this is another Kubernetes",
            got=clip(told.stdout.strip() or told.stderr.strip()),
            expected=f"v{VERSION}",
            next_step=f"where {ARCHIVE} is set, unset it or name an archive of that version",
        )
