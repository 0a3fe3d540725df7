"""Is an input copied sooner from the team's cache? ``prepare`` lays out the same twelve files of 98 MiB in all, once from a bucket behind
its profile, by ten requests at a time, and once through the cache that holds all of them. The limit is a copy from this machine's
page cache.
"""

import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.hotcold.noise import Steal
from benchmarks.hotcold.place import Place, prepared
from benchmarks.hotcold.profiles import Profile
from benchmarks.hotcold.reading import all_hot
from benchmarks.pairs import Answer, Run, quiet_pairs
from framework.runner.laying import Hot, Source, laid_out

ROUNDS: Final = 9
BUCKET, HOT, LOCAL = "from the bucket", "through the cache", "from the page cache"


def ask(*, small: bool) -> tuple[Answer, ...]:
    return () if small else tuple(asked(name) for name in ("lan", "region"))


def asked(profile: str) -> Answer:
    """Seconds. Raises: AssertionError where the cache did not deliver all."""
    with prepared("S", Profile.named(profile)) as place:
        all_hot(place)
        seconds, again = quiet_pairs(
            {BUCKET: _copy(place, hot=False), HOT: _copy(place, hot=True), LOCAL: _local(place)},
            ROUNDS, noisy=Steal(), warm_up=2,
        )  # fmt: skip
        notes = (f"{again} noisy round(s) were run again",) if again else ()
        files = f"{len(place.paths)} files of {place.bytes / (1 << 20):.0f} MiB"
        return Answer(f"copying {files} in {profile}: seconds over the bucket", BUCKET, seconds, {}, notes)


def _copy(place: Place, *, hot: bool) -> Run:
    sources = [
        Source(place.store, path, path.strip("/"), Path(place.local.root + path).stat().st_size, None)
        for path in place.paths
    ]
    held = Hot(place.cache, frozenset(place.paths)) if hot else None
    whole = sum(one.bytes for one in sources) if hot else 0

    def run() -> float:
        with TemporaryDirectory(prefix="copies-") as folder:
            started = time.monotonic()
            warm = laid_out(sources, Path(folder), hot=held)
            taken = time.monotonic() - started
        assert warm == whole, "the cache delivers what it holds"
        return taken

    return run


def _local(place: Place) -> Run:
    def run() -> float:
        with TemporaryDirectory(prefix="copies-") as folder:
            started = time.monotonic()
            for number, path in enumerate(place.paths):
                shutil.copyfile(place.local.root + path, Path(folder, str(number)))
            return time.monotonic() - started

    return run
