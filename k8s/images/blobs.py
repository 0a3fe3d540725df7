"""The archive of an image while it is written: content under the name of its digest, each content once."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Self

from framework.errors import ConfigError, clip
from k8s.images.trees import write_tree

_BLOCK: Final = 512
_CHUNK: Final = 1 << 20
NAME: Final = "io.containerd.image.name"
"""The annotation that an import takes the image's name from."""
_FOLDER: Final = "blobs/sha256/"
Descriptor = dict[str, Any]


def to_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def tree_digest(source: Path, target: str) -> str:
    """The digest that ``source`` has as a layer, without writing one."""
    with Path(os.devnull).open("wb") as nowhere:
        hashing = _Hashing(nowhere)
        _pack(hashing, source, target)
    return f"sha256:{hashing.sha256.hexdigest()}"


class _Hashing(io.RawIOBase):
    """Passes on what is written, and knows its digest."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._out.write(data)

    def tell(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True)
class Blobs:
    """An open archive."""

    out: IO[bytes]
    known: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def create(cls, path: Path) -> Iterator[Self]:
        with path.open("wb") as out:
            yield cls(out)
            out.write(bytes(2 * _BLOCK))

    def add(self, content: bytes) -> Descriptor:
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self.known:
            self.known.add(digest)
            self.add_file(_FOLDER + digest, content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def add_file(self, name: str, content: bytes) -> None:
        self.out.write(_header(name, len(content)))
        self.out.write(content)
        self._pad(len(content))

    def add_tree(self, source: Path, target: str) -> Descriptor:
        return self._streamed(lambda hashing: _pack(hashing, source, target))

    def copy(self, content: IO[bytes]) -> Descriptor:
        def fill(hashing: _Hashing) -> None:
            while chunk := content.read(_CHUNK):
                hashing.write(chunk)

        return self._streamed(fill)

    def _streamed(self, fill: Callable[[_Hashing], None]) -> Descriptor:
        """The header, which names digest and size, is written last, in the place left for it: content is read once."""
        start = self.out.tell()
        self.out.seek(_BLOCK, io.SEEK_CUR)
        hashing = _Hashing(self.out)
        fill(hashing)
        digest, size = hashing.sha256.hexdigest(), hashing.size
        self._pad(size)
        if digest in self.known:
            self.out.seek(start)
            self.out.truncate()
        else:
            self.known.add(digest)
            self._put_header(start, _header(_FOLDER + digest, size))
        return {"digest": f"sha256:{digest}", "size": size}

    def _put_header(self, start: int, header: bytes) -> None:
        self.out.seek(start)
        self.out.write(header)
        self.out.seek(0, io.SEEK_END)

    def _pad(self, size: int) -> None:
        self.out.write(bytes(-size % _BLOCK))


def _pack(out: _Hashing, source: Path, target: str) -> None:
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        write_tree(tar, source, target)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)  # sizes beyond 8 GB still take one block


def read_base(base: Path, blobs: Blobs | None) -> list[Descriptor]:
    """The layers of the image in ``base``, copied into ``blobs``. Raises: ConfigError when it is no image, or not whole."""
    try:
        with tarfile.open(base, "r:") as packed:
            layers = _layers(packed)
            return layers if blobs is None else [_copied(packed, layer, blobs) for layer in layers]
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(
            "the image below is none of ours",
            where=base, got=clip(str(error)), expected="an archive in OCI's layout, layers not compressed",
        ) from error  # fmt: skip


def find_image(archive: Path, name: str) -> str | None:
    """The digest of the image ``name`` in ``archive``; None when there is no such archive, or another image in it."""
    try:
        with tarfile.open(archive, "r:") as packed:
            (entry,) = _json(packed, "index.json")["manifests"]
    except (OSError, tarfile.TarError, KeyError, ValueError, TypeError):
        return None
    return str(entry["digest"]) if entry["annotations"].get(NAME) == name else None


def _layers(packed: tarfile.TarFile) -> list[Descriptor]:
    (entry,) = _json(packed, "index.json")["manifests"]
    layers: list[Descriptor] = _json(packed, _blob(entry))["layers"]
    if compressed := [layer["mediaType"] for layer in layers if not layer["mediaType"].endswith(".tar")]:
        raise ValueError(f"layers are {compressed[0]}")
    return [{"digest": layer["digest"], "size": layer["size"]} for layer in layers]


def _copied(packed: tarfile.TarFile, layer: Mapping[str, Any], blobs: Blobs) -> Descriptor:
    content = packed.extractfile(_blob(layer))
    if content is None:
        raise ValueError(f"{layer['digest']} is no file")
    made = blobs.copy(content)
    if made["digest"] != layer["digest"]:
        raise ValueError(f"{layer['digest']} has other content")
    return made


def _blob(descriptor: Mapping[str, Any]) -> str:
    return _FOLDER + str(descriptor["digest"]).removeprefix("sha256:")


def _json(packed: tarfile.TarFile, name: str) -> Any:
    content = packed.extractfile(name)
    return json.loads(content.read()) if content else {}
