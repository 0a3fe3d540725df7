"""``python -m tests.kill.reader module:Class REST``: looks at a place until told to stop, and tells what was wrong.

After each look it rests ``REST`` times as long as the look took: the victim shares the machine, and must get on.
"""

import json
import select
import sys
import time
from pathlib import Path
from typing import Any

from tests.kill.harness import judged, load

PAUSE_S = 0.002


def main() -> None:
    subject, rest = load(sys.argv[1]), float(sys.argv[2])
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps({}), flush=True)
        print(json.dumps(watch(subject, Path(message["place"]), message["versions"], rest)), flush=True)


def watch(subject: Any, place: Path, versions: list[str], rest: float) -> dict[str, Any]:
    looks, last, problems, took = 0, 0, set[str](), 0.0
    while True:
        told = bool(select.select([sys.stdin], [], [], PAUSE_S + rest * took)[0])
        looks += 1
        began = time.monotonic()
        last, wrong = judged(subject, place, versions, since=last)
        problems.update(wrong)
        took = time.monotonic() - began
        if told:
            sys.stdin.readline()
            return {"looks": looks, "problems": sorted(problems)}


if __name__ == "__main__":
    main()
