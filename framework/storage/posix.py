"""A store in a directory: a laptop's disk, or a mounted network file system that keeps ``link(2)`` atomic.

A slot is taken by linking a synced temporary file to its name, never by rename (which replaces) and never by
``O_EXCL`` (which shows an empty slot before its bytes). Below the root no symbolic link is followed, ever: each
folder is opened relative to its parent, so a link planted between two look-ups does not help either.
"""

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import IO, Final

from framework.errors import SetupError
from framework.storage import descriptors
from framework.storage.base import (
    ATTEMPT_FOLDER,
    Access,
    Entry,
    SlotTaken,
    check_deletable,
    sizes_by_folder,
    split_file,
    split_path,
)
from framework.storage.carrying import Move, copied
from framework.storage.oserrors import translated
from framework.storage.ownership import Ownership

# Characters of a root that Spark would read as a glob or a client would un-escape: data would land elsewhere.
_UNSAFE: Final = frozenset("*?[]{}\\%#\n\r\t")


class DirectoryStore:
    """A store below ``root``, which is made by the first put unless it is to be mounted.

    ``root`` itself may be, or go through, a symbolic link; it is resolved once, here.
    """

    access = Access("file")

    def __init__(
        self, root: Path, *, kind: str = "directory", owned: Ownership | None = None, mounted: bool = False
    ) -> None:
        """``owned``: whose everything below ``root`` is to be. ``mounted``: ``root`` is there, or nothing is mounted.

        Raises: SetupError when Spark could not open paths below ``root`` as they are written.
        """
        self.kind = kind
        self._mounted = mounted
        self._owned = None if owned == Ownership() else owned
        self._root = root.expanduser().resolve()
        if found := sorted(_UNSAFE & set(str(self._root))):
            raise SetupError(
                "the store's root holds characters that Spark takes for a pattern or an escape",
                where=str(self._root),
                got=" ".join(map(repr, found)),
                next_step="choose a root without them",
            )

    @property
    def root(self) -> str:
        return str(self._root)

    def local(self, path: str) -> Path:
        """The local path of a logical one, for readers that are not Spark. Raises: PathError."""
        return self._root.joinpath(*split_path(path))

    def readable(self, path: str) -> Path:
        return self.local(path)

    def uri(self, path: str) -> str:
        # Not Path.as_uri(): Hadoop does not un-escape, and `!` would become `%21`, another name.
        return f"file://{self.local(path)}"

    def put_if_absent(self, path: str, data: bytes) -> None:
        parents, name = split_file(path)
        temporary = f"{descriptors.TEMPORARY}{secrets.token_hex(8)}"
        with translated(path), self._folder(parents, create=True) as folder:
            try:
                descriptors.write_synced(folder, temporary, data, self._owned)
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError as error:
                raise SlotTaken(path) from error
            finally:
                with suppress(OSError):  # left-over temporaries are never listed; the outcome is decided
                    os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)

    def put_file(self, path: str, opened: Callable[[], IO[bytes]]) -> None:
        parents, name = split_file(path)
        temporary = f"{descriptors.TEMPORARY}{secrets.token_hex(8)}"
        with translated(path), opened() as source, self._folder(parents, create=True) as folder:
            try:
                descriptors.copy_synced(folder, temporary, source, self._owned)
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
            os.fsync(folder)

    def fetch(self, moves: Iterable[Move]) -> None:
        for one in moves:
            copied(self.local(one.path), one.local)

    def send(self, moves: Iterable[Move]) -> None:
        for one in moves:
            if not self._taken(one):
                self.put_file(one.path, partial(_opened, one.local))

    def _taken(self, move: Move) -> bool:
        """By renaming, which costs nothing, where it is one file system. ``settle`` makes it durable, and its owner's.

        A file with another name is copied: who writes to that one would change what is published.
        """
        if move.local.lstat().st_nlink > 1:
            return False
        parents, name = split_file(move.path)
        with translated(move.path), self._folder(parents, create=True) as folder:
            try:
                os.rename(move.local, name, dst_dir_fd=folder)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return False
        return True

    def read(self, path: str) -> bytes | None:
        parents, name = split_file(path)
        with (
            translated(path),
            suppress(FileNotFoundError),
            self._folder(parents) as folder,
            os.fdopen(descriptors.open_plain(folder, name), "rb") as file,
        ):
            return file.read()
        return None

    def stat(self, path: str) -> Entry | None:
        parents, name = split_file(path)
        with translated(path), suppress(FileNotFoundError), self._folder(parents) as folder:
            return descriptors.entry_of(folder, name, path)
        return None

    def list(self, prefix: str) -> tuple[Entry, ...]:
        with translated(prefix), suppress(FileNotFoundError), self._folder(split_path(prefix)) as folder:
            return tuple(sorted(descriptors.walk(folder, prefix.rstrip("/")), key=attrgetter("path")))
        return ()

    def folders(self, prefix: str) -> tuple[str, ...]:
        with (
            translated(prefix),
            suppress(FileNotFoundError),
            self._folder(split_path(prefix)) as folder,
            os.scandir(folder) as found,
        ):
            return tuple(sorted(item.name for item in found if item.is_dir(follow_symlinks=False)))
        return ()

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        sizes = sizes_by_folder(files)
        mounts: dict[int, str] = {}
        for path, expected in sizes.items():
            with translated(path), self._folder(split_path(path)) as folder:
                descriptors.check_sizes(folder, path.rstrip("/"), expected)
                mounts.setdefault(os.fstat(folder).st_dev, path)
        if self._owned is not None:
            self._own(sizes, self._owned)
        self._sync(sizes, mounts.values())

    def delete(self, paths: Iterable[str]) -> None:
        attempts: set[tuple[str, ...]] = set()
        for path in check_deletable(paths):
            parents, name = split_file(path)
            with translated(path), suppress(FileNotFoundError), self._folder(parents) as folder:
                os.unlink(name, dir_fd=folder)
            attempts.update(
                parents[: depth + 1] for depth, part in enumerate(parents) if ATTEMPT_FOLDER.fullmatch(part)
            )
        for parents in attempts:
            self._prune(parents)

    def _prune(self, attempt: tuple[str, ...]) -> None:
        """Remove the empty folders of an attempt, and nothing above it: beside it slots may be put at any time."""
        with suppress(OSError), self._folder(attempt[:-1]) as run:
            descriptors.remove_empty(run, attempt[-1])

    def _sync(self, names: Mapping[str, Iterable[str]], mounts: Iterable[str]) -> None:
        """Make what other processes wrote durable: by one call for each file system (``mounts``) where there is one.

        Synced one by one, a thousand small files cost ten times as much on an ordinary disk as by that call.
        """
        sync_all = descriptors.syncfs()
        for path in mounts if sync_all else names:
            with translated(path), self._folder(split_path(path)) as folder:
                if sync_all is None:
                    descriptors.sync_each(folder, names[path])
                else:
                    sync_all(folder)

    def _own(self, names: Mapping[str, Iterable[str]], owned: Ownership) -> None:
        """Spark made these files, and the folders from the attempt's on, with an owner and a mode of its own."""
        made = {split_path(path): files for path, files in names.items()}
        for parts in list(made):
            for depth, part in enumerate(parts, 1):
                if ATTEMPT_FOLDER.fullmatch(part):
                    made |= {parts[:end]: made.get(parts[:end], ()) for end in range(depth, len(parts) + 1)}
        for parts, files in made.items():
            with translated(f"/{'/'.join(parts)}"), self._folder(parts) as folder:
                descriptors.own_each(folder, files, owned)

    @contextmanager
    def _folder(self, parts: Iterable[str], *, create: bool = False) -> Iterator[int]:
        if self._mounted and not self._root.is_dir():
            raise SetupError(
                "the store's file system is not mounted here",
                where=str(self._root),
                got="no such directory",
                next_step="mount it; what is written to this machine instead would be lost",
            )
        made = create and not self._root.exists()
        if made:
            self._root.mkdir(parents=True, exist_ok=True)
        current = os.open(self._root, descriptors.FOLDER)
        try:
            if made and self._owned is not None:
                self._owned.apply(current, str(self._root))
            for part in parts:
                inner = descriptors.step(current, part, create=create, owned=self._owned)
                os.close(current)
                current = inner
            yield current
        finally:
            os.close(current)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")
