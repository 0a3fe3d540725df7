"""An image as one archive in OCI's layout, as ``ctr -n k8s.io images import`` takes it: no daemon, no registry.

The same input makes the same bytes: no times, no owners, entries in order. Layers are not compressed, since importing is
then faster and nothing here crosses a network.
"""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from platform import machine
from typing import Any, Final

from framework.errors import ConfigError, SetupError, clip
from k8s.images.blobs import NAME, Blobs, read_base, to_json

LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
_EPOCH: Final = "1970-01-01T00:00:00Z"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Layer:
    """A directory tree (or one file) and the folder of the image that it becomes."""

    source: Path
    target: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How the image is run where nobody says otherwise."""

    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def write_image(
    archive: Path,
    name: str,
    layers: Sequence[Layer],
    settings: Settings,
    *,
    base: Path | None = None,
    thin: bool = False,
) -> str:
    """Write the image ``name`` (``registry/path:tag``) to ``archive``; the digest of its manifest.

    The layers of ``base``, another archive of ours, come first; its settings do not count. ``thin`` leaves their bytes out:
    such an archive is for who has ``base`` already. A source that is a file becomes ``target`` itself.

    Raises: ConfigError for a name, target, source or base that is none; SetupError when reading or writing fails.
    """
    tag = _tag(name)
    for layer in layers:
        _require(layer)
    with _replaced(archive) as written, Blobs.create(written) as blobs:
        found = [] if base is None else read_base(base, None if thin else blobs)
        found += [blobs.add_tree(layer.source, layer.target) for layer in layers]
        config = blobs.add(to_json(_config(found, settings)))
        manifest = blobs.add(to_json(_manifest(config, found)))
        annotations = {NAME: name, "org.opencontainers.image.ref.name": tag}
        entry = {"mediaType": MANIFEST, **manifest, "annotations": annotations}
        blobs.add_file("index.json", to_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}))
        blobs.add_file("oci-layout", to_json({"imageLayoutVersion": "1.0.0"}))
    return str(manifest["digest"])


def _tag(name: str) -> str:
    path, _, tag = name.rpartition(":")
    if not path or not tag or "/" in tag or "/" not in path:
        raise ConfigError("an image needs a name with a tag", got=name, expected="registry/path:tag")
    return tag


def _require(layer: Layer) -> None:
    if not layer.target.startswith("/") or ".." in layer.target.split("/"):
        raise ConfigError("a layer becomes a folder of the image", got=layer.target, expected="an absolute path")
    if not os.path.lexists(layer.source):
        raise ConfigError("a layer is not there", where=layer.source, expected=f"what becomes {layer.target}")


def _config(layers: Sequence[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    env = {"PATH": _PATH, **settings.env}
    given = {
        "User": settings.user,
        "Entrypoint": list(settings.entrypoint),
        "Labels": dict(sorted(settings.labels.items())),
    }
    run = {"Env": [f"{key}={env[key]}" for key in sorted(env)], "WorkingDir": settings.workdir}
    return {
        "architecture": _ARCHITECTURES.get(machine(), machine()),
        "os": "linux",
        "created": _EPOCH,
        "config": {**run, **{key: value for key, value in given.items() if value}},
        # What is not compressed is its own content: the id of the difference is the digest of the blob.
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }


def _manifest(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, **config},
        "layers": [{"mediaType": LAYER, **layer} for layer in layers],
    }


@contextmanager
def _replaced(archive: Path) -> Iterator[Path]:
    """A name beside ``archive`` that becomes it at the end: nobody sees half of an image."""
    written = archive.with_name(f".{archive.name}.{secrets.token_hex(4)}")
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        yield written
        written.replace(archive)
    except OSError as error:
        raise SetupError("the image cannot be written", where=archive, got=clip(str(error))) from error
    finally:
        with suppress(OSError):
            written.unlink()
