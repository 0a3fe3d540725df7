"""Whose the files of a store are, and with which mode: for file systems that several users share.

What this process may set it sets, on the open file, so that no umask and no link plays a part; what it may not, it
compares. A mount that gives every file to one user (an access point) needs nothing set.
"""

import os
import stat
from dataclasses import dataclass
from typing import Final

from framework.errors import SetupError

_EXECUTE: Final = 0o111
_KEEP: Final = -1


@dataclass(frozen=True, slots=True)
class Ownership:
    """Numbers of a user and a group, and the mode of folders; files have it without ``x``. None: as it comes."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None

    def apply(self, number: int, path: str) -> None:
        """Give the open file or folder its owner and its mode. Raises: OSError; SetupError when it cannot have them."""
        found = os.fstat(number)
        self._give(number, found, path)
        mode = self._mode_of(found)
        # After the owner: a change of owner may take bits away.
        if mode is not None and stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(number, mode)

    def _mode_of(self, found: os.stat_result) -> int | None:
        return self.mode if self.mode is None or stat.S_ISDIR(found.st_mode) else self.mode & ~_EXECUTE

    def _give(self, number: int, found: os.stat_result, path: str) -> None:
        uid, gid = self._changes(found)
        if (uid, gid) == (_KEEP, _KEEP):
            return
        try:
            os.fchown(number, uid, gid)
        except PermissionError as error:
            raise SetupError(
                "what is written to the store belongs to the wrong user or group",
                where=path,
                got=f"uid {found.st_uid}, gid {found.st_gid}",
                expected=f"uid {self._told(self.uid)}, gid {self._told(self.gid)}, as store.uid and store.gid say",
                next_step="run as that user (runAsUser, runAsGroup), or mount by an access point of that user",
            ) from error

    def _changes(self, found: os.stat_result) -> tuple[int, int]:
        return _wanted(self.uid, found.st_uid), _wanted(self.gid, found.st_gid)

    @staticmethod
    def _told(number: int | None) -> str:
        return "any" if number is None else str(number)


def _wanted(number: int | None, found: int) -> int:
    return _KEEP if number is None or number == found else number
