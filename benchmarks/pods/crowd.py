"""Many submissions at one time: are they all right, and what do they ask of the API server?

Counted is what the API server counts, whoever asked: the launchers, and kubelet, scheduler and controllers for them. What all
of those ask when nothing runs is counted beforehand and taken off.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.pairs import Answer
from benchmarks.pods.place import TEAM, WITHIN_S, Benched, require_soon
from framework.errors import NoRoom
from framework.identity import Epoch, RunKey
from framework.launch.base import RESULT, UNFINISHED, LaunchRequest, Phase, Resources, Share
from k8s.launch.launcher import KubernetesLauncher

IDLE_S: Final = 5.0
MOST_TOLD: Final = 14
# It leaves what it was told, so that nobody's result is taken for another's.
TELLS: Final = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
_COUNTED: Final = re.compile(r"apiserver_request_total\{([^}]*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
Counts = Mapping[str, float]


def request(place: Benched, name: str, *command: str) -> LaunchRequest:
    """A launch of the tiny image, with a configuration and a secret as any has them."""
    key = RunKey(TEAM, f"{TEAM}.daily", name, "20130101T000000Z")
    resources = Resources(place.tiny, Share("30m", "32Mi"), Share("30m", "32Mi"), 0)
    return LaunchRequest(name, key, Epoch("1f" * 8, 1, 1), 0, command, b"{}", connections=b"{}", resources=resources)


def crowd(place: Benched, jobs: int) -> Answer:
    """Raises: RuntimeError when one of them is not what was asked for."""
    launchers = [place.launcher() for _ in range(jobs)]
    idle = _rates(place)
    before, started = counts(place), time.monotonic()
    wrong = _all_at_once(place, launchers)
    took = time.monotonic() - started
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {jobs} went wrong: {wrong[:3]}")
    asked = {name: number - idle.get(name, 0) * took for name, number in _since(place, before).items()}
    place.empty(TEAM)
    total = sum(asked.values())
    notes = [f"{name}: {number / jobs:.1f}" for name, number in Counter(asked).most_common(MOST_TOLD)]
    return Answer(
        f"requests to the API server for {jobs} submissions at one time, in {took:.0f} s, all of them right; for each",
        "submissions",
        {"submissions": (float(jobs),), "requests": (total,)},
        notes=tuple(notes),
    )


def _all_at_once(place: Benched, launchers: Sequence[KubernetesLauncher]) -> list[str]:
    wrong: list[str] = []
    deadline = time.monotonic() + WITHIN_S

    def submit(number: int) -> None:
        name, launcher = f"crowd-{number}", launchers[number]
        asked = request(place, name, "python3", "-I", "-S", "-c", TELLS, RESULT, name)
        while time.monotonic() < deadline:
            try:
                launcher.start(asked)
                break
            except NoRoom:
                time.sleep(0.5)
        while (status := launcher.status(name)).phase in UNFINISHED and time.monotonic() < deadline:
            time.sleep(0.5)
        launcher.clear(name)
        if (status.phase, status.result) != (Phase.SUCCEEDED, name.encode()):
            wrong.append(f"{status}")

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(len(launchers))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = place.admin.list("v1", "Pod", namespace=TEAM)
    return wrong + ([] if len(found) == len(launchers) else [f"{len(found)} pods"])


def counts(place: Benched) -> Counter[str]:
    """Requests so far, by verb and resource; those that ask for this are none of them."""
    found: Counter[str] = Counter()
    for labels, number in _COUNTED.findall(place.admin.ask("GET", "/metrics", headers={"Accept": "text/plain"})):
        told = dict(_LABEL.findall(labels))
        part = f"/{told['subresource']}" if told.get("subresource") else ""
        if told.get("resource"):
            found[f"{told['verb']} {told['resource']}{part}"] += float(number)  # type: ignore[assignment]  # they are whole
    return found


def _since(place: Benched, before: Counts) -> dict[str, float]:
    found = {name: number - before.get(name, 0) for name, number in counts(place).items()}
    return {name: number for name, number in found.items() if number > 0}


def _rates(place: Benched) -> dict[str, float]:
    """Requests a second while nothing runs."""
    before, started = counts(place), time.monotonic()
    time.sleep(IDLE_S)
    took = time.monotonic() - started
    return {name: number / took for name, number in _since(place, before).items()}


def wait_until_running(place: Benched, name: str) -> None:
    """Raises: RuntimeError when it does not."""
    launcher, deadline = place.launcher(), time.monotonic() + WITHIN_S
    while launcher.status(name).phase is Phase.PENDING:
        require_soon(deadline, f"{name} does not start")
        time.sleep(0.1)
