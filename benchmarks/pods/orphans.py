"""Launches that are killed at any moment, also while they are being started: what is left of them?"""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from benchmarks.pairs import SEED, Answer
from benchmarks.pods.crowd import request, wait_until_running
from benchmarks.pods.place import TEAM, Benched
from framework.errors import NoRoom, TeamsparkError
from k8s.launch.lease import NAME as LEASE
from k8s.local.node import cgroups

AT_ONCE: Final = 4
LATEST_S: Final = 2.5
GONE_S: Final = 90.0
_KINDS: Final = (("v1", "Pod"), ("v1", "ConfigMap"), ("v1", "Secret"), ("coordination.k8s.io/v1", "Lease"))
_ALWAYS: Final = ("kube-root-ca.crt", LEASE)


def orphans(place: Benched, launches: int) -> Answer:
    """What is there that was not there before, once it had time to go."""
    draw = random.Random(SEED)
    before = present(place)
    _require_seen(place, before)
    moments = [draw.uniform(0, LATEST_S) for _ in range(launches)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda both: _killed(place, *both), enumerate(moments)))
    deadline = time.monotonic() + GONE_S
    while (left := present(place) - before) and time.monotonic() < deadline:
        time.sleep(0.5)
    return Answer(
        f"what is left of {launches} launches, killed within {LATEST_S} s of their start",
        "killed",
        {"killed": (float(launches),), "left": (float(left.total()),)},
        {"left": 0.0},
        tuple(f"{name}: {number}" for name, number in left.items()) or ("nothing",),
    )


def _require_seen(place: Benched, before: Counter[str]) -> None:
    """The witness: of a launch that lives, everything is found. Raises: RuntimeError."""
    launcher = place.launcher()
    launcher.start(request(place, "lives", "sleep", "600"))
    wait_until_running(place, "lives")
    found = set(present(place) - before)
    launcher.kill("lives")
    if unseen := {"Pod", "ConfigMap", "Secret", "processes", "control groups"} - found:
        raise RuntimeError(f"what lives is not seen: {', '.join(sorted(unseen))}")


def _killed(place: Benched, number: int, moment: float) -> None:
    """By another than who starts it, and once more by whoever comes after both."""
    name = f"killed-{number}"
    starter, killer = place.launcher(), place.launcher()
    asked = request(place, name, "sleep", "600")

    def start() -> None:
        # Taken away under its hands, or no room: both are answers.
        with suppress(TeamsparkError):
            while True:
                try:
                    return starter.start(asked)
                except NoRoom:
                    time.sleep(0.3)

    starting = threading.Thread(target=start)
    starting.start()
    time.sleep(moment)
    killer.kill(name)
    starting.join()
    killer.kill(name)


def present(place: Benched) -> Counter[str]:
    """Objects, processes and control groups of runs."""
    found: Counter[str] = Counter()
    for api, kind in _KINDS:
        names = [one["metadata"]["name"] for one in place.admin.list(api, kind, namespace=TEAM)]
        found[kind] += len([name for name in names if name not in _ALWAYS])
    found["processes"] = _processes(place)
    found["control groups"] = len([path for root in cgroups.left(place.node.layout.cgroup) for path in _below(root)])
    return +found


def _processes(place: Benched) -> int:
    """Of containers, their sandboxes, and what watches over them."""
    told = place.node.inside("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    return sum(told.stdout.count(word) for word in ("sleep 600", "/pause", "containerd-shim"))


def _below(root: Path) -> list[Path]:
    """A group for each container, however the runtime calls it."""
    return [path for path in root.rglob("*") if path.is_dir()]
