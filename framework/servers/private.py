"""Files with secrets: whole or absent, and never readable by another user, not for a moment."""

import os
from pathlib import Path


def write_private(file: Path, text: str) -> None:
    """Write ``file`` atomically, mode 0600."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
        out.write(text)
    aside.rename(file)


def private_folder(path: Path) -> Path:
    """``path``, made and for its owner only."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path
