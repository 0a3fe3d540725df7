"""Where this environment keeps what it made or fetched for itself: class-data archives, jars."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def environment_home() -> Path:
    """Inside the environment, or where that may not be written, in the user's cache."""
    prefix = Path(sys.prefix)
    if os.access(prefix, os.W_OK):
        return prefix / "var" / "teamspark"
    return cache_home(os.environ)


def cache_home(environ: Mapping[str, str]) -> Path:
    """In the user's cache: what a new environment should find again."""
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "teamspark"
