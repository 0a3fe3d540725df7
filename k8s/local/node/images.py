"""Images for a node without a registry: archives, imported into its containerd once."""

from collections.abc import Callable, Iterable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

from framework.errors import SetupError, clip
from k8s.images.oci import Layer, Settings, write_image
from k8s.local.node.files import PAUSE
from k8s.local.node.layout import Layout
from k8s.local.node.names import IMAGE

_NOBODY: Final = "65532:65532"
Inside = Callable[..., CompletedProcess[str]]


def own_images(layout: Layout) -> list[Path]:
    """Archives of what every node has, written if they are not there."""
    folder = layout.home / "own-images"
    folder.mkdir(exist_ok=True)
    wanted = {"pause": PAUSE, "coredns": IMAGE}
    made = []
    for program, name in wanted.items():
        archive = folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
        if not archive.exists():
            settings = Settings(env={}, user=_NOBODY, entrypoint=(f"/{program}",))
            write_image(archive, name, [Layer(layout.binaries / program, f"/{program}")], settings)
        made.append(archive)
    return made


def import_images(layout: Layout, archives: Iterable[Path], inside: Inside) -> list[Path]:
    """Those that were not yet known, imported. Raises: SetupError with what containerd said."""
    marks = layout.home / "containerd" / "imported"
    marks.mkdir(parents=True, exist_ok=True)
    done = []
    for archive in archives:
        facts = archive.stat()
        mark = marks / f"{archive.stem}-{facts.st_size}-{facts.st_mtime_ns}"
        if mark.exists():
            continue
        told = inside("ctr", "-n", "k8s.io", "images", "import", str(archive))
        if told.returncode:
            raise SetupError("the image cannot be imported", where=str(archive), got=clip(told.stderr.strip()))
        mark.touch()
        done.append(archive)
    return done
