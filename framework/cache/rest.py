"""An Alluxio's proxy over HTTP, by the client of the package ``alluxio``: every request bounded, every failure ours.

What that client has no option for is the same REST with the same names as Alluxio's own options.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import alluxio
import requests
from alluxio.exceptions import AlluxioError, HTTPError, NotFoundError
from alluxio.option import Mount, SetAttribute

from framework.errors import CacheUnavailable, clip
from framework.storage.carrying import appearing

CONNECT_S: Final = 1.0
FIRST_BYTE_S: Final = 10.0
_CHUNK: Final = 1024 * 1024
# Never what was found, or found missing, some time ago.
_NOW: Final = {"commonOptions": {"syncIntervalMs": 0}}


class _Options(dict[str, Any]):
    """Options as Alluxio names them, where the client has no class for them."""

    def json(self) -> dict[str, Any]:
        return self


class Proxy:
    """The proxy at ``url``. Every method raises CacheUnavailable when it does not answer within ``within_s``."""

    def __init__(self, url: str, *, within_s: float) -> None:
        address = urlsplit(url)
        self.url = url
        self._within_s = within_s
        self._client = alluxio.Client(address.hostname, address.port, timeout=(CONNECT_S, within_s))
        # A proxy for the internet, named in the environment, knows nothing of this machine.
        self._client.session.trust_env = False

    def mounts(self) -> dict[str, str]:
        """The mount points directly below the root, each with the URI in front of which it is."""
        return {info.path: info.ufs_path for info in self.files("/", recursive=False) if info.mount_point}

    def files(self, path: str, *, recursive: bool = True, now: bool = False) -> list[Any]:
        """``alluxio.wire.FileInfo`` of what is below ``path``, or of the file itself; nothing when it is absent.

        ``now``: the store is asked, whatever is remembered of it.
        """
        options = _Options(recursive=recursive, **(_NOW if now else {}))
        with self._asking("list", path):
            try:
                return list(self._client.list_status(path, options))
            except NotFoundError:
                return []

    def load(self, path: str, deadline: float) -> int:
        """Read the file, and so have it cached; its bytes read until ``deadline``, by the monotonic clock."""
        read = 0
        # The first file of a store takes a worker some seconds; none takes it longer, unless it hangs.
        patience_s = max(min(deadline - time.monotonic(), FIRST_BYTE_S), self._within_s)
        with self._asking("read", path), self._download(path, patience_s) as answer:
            for chunk in answer.iter_content(_CHUNK):
                read += len(chunk)
                if time.monotonic() > deadline:
                    break
        return read

    def save(self, path: str, target: Path, deadline: float) -> None:
        """The file as ``target``, whole or not there. Raises: OSError of ``target``."""
        with appearing(target) as file:
            for chunk in self._chunks(path, deadline):
                file.write(chunk)

    def _chunks(self, path: str, deadline: float) -> Iterator[bytes]:
        with self._asking("read", path), self._download(path, self._within_s) as answer:
            for chunk in answer.iter_content(_CHUNK):
                if time.monotonic() > deadline:
                    raise TimeoutError("it takes longer than reading it from the store may")
                yield chunk

    @contextmanager
    def _download(self, path: str, patience_s: float) -> Iterator[requests.Response]:
        # One request; the client's own reader takes three, and sets no limit to any of them.
        url = f"{self.url}/api/v1/paths/{path}/download-file"
        with self._client.session.get(url, stream=True, timeout=(CONNECT_S, patience_s)) as answer:
            if not answer.ok:
                raise HTTPError(f"status {answer.status_code}: {answer.text}")
            yield answer

    def set_pinned(self, path: str, *, pinned: bool) -> None:
        with self._asking("pin", path):
            self._client.set_attribute(path, SetAttribute(pinned=pinned))

    def free(self, path: str) -> None:
        """Let go of a file or folder and all below it, pinned or not; an absent one is no error."""
        with self._asking("free", path):
            try:
                # Forced is for the blocks alone: the pin would bring them back.
                self._client.set_attribute(path, SetAttribute(pinned=False, recursive=True))
                self._client.free(path, _Options(recursive=True, forced=True))
            except NotFoundError:
                return

    def mount(self, path: str, source: str, properties: dict[str, str]) -> None:
        """Mount ``source``, which is then only read. ``properties`` are no place for keys: they would be kept."""
        with self._asking("mount", path):
            self._client.mount(path, source, Mount(properties=properties, read_only=True))

    @contextmanager
    def _asking(self, verb: str, path: str) -> Iterator[None]:
        try:
            yield
        except (AlluxioError, HTTPError, requests.RequestException, OSError, ValueError, KeyError, TypeError) as error:
            raise CacheUnavailable(
                f"the cache did not {verb}",
                where=f"{path} at {self.url}",
                got=clip(f"{type(error).__name__}: {error}"),
                next_step="look at it: teamspark cache status; without it, everything is read from the store",
            ) from error
