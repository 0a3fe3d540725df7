"""Kubernetes' own programs for this machine, built from its Go modules: versions pinned by ``hyperkube/go.mod``, contents by
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
ARCHIVE: Final = "TEAMSPARK_KUBERNETES_ARCHIVE"
"""The variable that names a ``.tar.xz`` with the program."""
_BUILD_S: Final = 3600
_PACKAGE: Final = "k8s.io/component-base/version"
Notice = Callable[[str], None]


def home_of(environ: Mapping[str, str]) -> Path:
    """Where the programs of this user are."""
    return cache_home(environ) / "kubernetes" / VERSION


def ensure_binaries(environ: Mapping[str, str], notice: Notice) -> Path:
    """The folder with the program, which is unpacked or built if it is not there. ``notice`` hears that it takes minutes.

    Raises: SetupError when there is neither an archive nor Go, or the build fails, with the end of what it printed.
    """
    home = home_of(environ)
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second finds it done
        if not (home / PROGRAM).is_file():
            _make(home, environ, notice)
    return home


def _make(home: Path, environ: Mapping[str, str], notice: Notice) -> None:
    with TemporaryDirectory(dir=home) as name:
        made = Path(name) / PROGRAM
        if archive := environ.get(ARCHIVE):
            _unpack(Path(archive), made)
        else:
            _build(Path(name), environ, notice)
        _require_version(made)
        made.rename(home / PROGRAM)


def _unpack(archive: Path, made: Path) -> None:
    try:
        with tarfile.open(archive) as packed:
            member = next((one for one in packed if Path(one.name).name == PROGRAM and one.isfile()), None)
            content = None if member is None else packed.extractfile(member)
            if content is None:
                raise SetupError("the archive lacks the program", where=str(archive), expected=PROGRAM)
            with made.open("wb") as out:
                shutil.copyfileobj(content, out)
    except (OSError, tarfile.TarError) as error:
        raise SetupError(
            "the archive cannot be read", where=str(archive), got=clip(str(error)), next_step=f"mend or unset {ARCHIVE}"
        ) from error
    made.chmod(0o755)


def _build(folder: Path, environ: Mapping[str, str], notice: Notice) -> None:
    go = shutil.which("go", path=environ.get("PATH"))
    if go is None:
        raise SetupError(
            "Kubernetes cannot be built",
            got="there is no go on PATH",
            expected=f"Go 1.24 or later, or an archive of {PROGRAM} {VERSION}",
            next_step=f"install Go (https://go.dev/dl), or set {ARCHIVE}",
        )
    notice(f"building Kubernetes {VERSION}: six to fifteen minutes, once for this machine")
    with as_file(files("k8s.local") / PROGRAM) as source:
        shutil.copytree(source, folder / "source")
    minor = VERSION.split(".")[1]
    facts = {"gitVersion": f"v{VERSION}", "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(["-s -w", *(f"-X {_PACKAGE}.{key}={value}" for key, value in facts.items())])
    built = subprocess.run(
        [go, "build", "-p", "2", "-trimpath", "-ldflags", flags, "-o", str(folder / PROGRAM), "."],
        cwd=folder / "source",
        env={**environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        check=False,
    )
    if built.returncode:
        raise SetupError(
            "Kubernetes cannot be built", got=f"go build ended with {built.returncode}",
            details=built.stderr.splitlines()[-8:], next_step="mend what it names, and run again",
        )  # fmt: skip


def _require_version(made: Path) -> None:
    told = subprocess.run([str(made), "kubelet", "--version"], capture_output=True, text=True, check=False)
    if told.stdout.strip() != f"Kubernetes v{VERSION}":
        raise SetupError(
            "this is another Kubernetes",
            got=clip(told.stdout.strip() or told.stderr.strip()),
            expected=f"v{VERSION}",
            next_step=f"where {ARCHIVE} is set, unset it or name an archive of that version",
        )
