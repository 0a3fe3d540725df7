"""Whether an output on S3 was committed without renames: the committer's own word, in ``_SUCCESS``."""

import json
from dataclasses import dataclass
from typing import Any, Final

from framework.errors import SetupError

SCHEME: Final = "s3a://"
_MAGIC: Final = "magic"
_BYTES: Final = "committer_bytes_committed"
_NEXT: Final = "leave Spark's committer settings alone, also in transform; then run again"


@dataclass(frozen=True, slots=True)
class Committed:
    """What the committer says it has completed; ``bytes`` is of all data files."""

    bytes: int


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
    return Committed(int(told["metrics"][_BYTES]))


def _told(success: bytes) -> dict[str, Any]:
    try:
        told = json.loads(success)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
