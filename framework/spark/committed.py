"""Whether an output on S3 was committed without renames: the committer's own word, in ``_SUCCESS``."""

import json
from dataclasses import dataclass
from typing import Any, Final

from framework.errors import SetupError

SCHEME: Final = "s3a://"
_MAGIC: Final = "magic"
_NEXT: Final = "leave Spark's committer settings alone, also in transform; then run again"


@dataclass(frozen=True, slots=True)
class Committed:
    """What the committer says it has completed: names of files without their folders, of at most a hundred.

    Its counts of files and bytes are no use: they add up over all outputs of a session.
    """

    names: frozenset[str]


def require_magic(success: bytes, *, where: str) -> Committed:
    """What ``_SUCCESS`` of an output says. An output moved into place by rename may be half there: it is an error.

    Raises: SetupError when another committer wrote it, or none.
    """
    told = _told(success)
    if told.get("committer") != _MAGIC:
        raise SetupError(
            "an output on S3 was not written by the committer that needs no rename",
            where=where,
            got=f"committer {told['committer']!r}" if "committer" in told else "a _SUCCESS that names no committer",
            expected=f"committer {_MAGIC!r}",
            next_step=_NEXT,
        )
    return Committed(frozenset(str(path).rpartition("/")[2] for path in told["filenames"]))


def _told(success: bytes) -> dict[str, Any]:
    try:
        told = json.loads(success)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
