"""``python -m tests.kill.reader module:Class``: looks at a place until told to stop, and tells what was wrong."""

import json
import select
import sys
from pathlib import Path
from typing import Any

from tests.kill.harness import Torn, load

PAUSE_S = 0.002


def main() -> None:
    subject = load(sys.argv[1])
    for line in sys.stdin:
        message = json.loads(line)
        print(json.dumps({}), flush=True)
        print(json.dumps(watch(subject, Path(message["place"]), message["versions"])), flush=True)


def watch(subject: Any, place: Path, versions: list[str]) -> dict[str, Any]:
    looks, last, problems = 0, -1, set()
    while True:
        # A breath between looks: the victim shares the machine, and must get on.
        told = bool(select.select([sys.stdin], [], [], PAUSE_S)[0])
        looks += 1
        try:
            seen = subject.look(place)
        except Torn as error:
            problems.add(f"a reader saw something torn: {error}")
        else:
            if seen is None:
                problems.add("a reader saw nothing where version 1 had been")
            elif seen not in versions:
                problems.add("a reader saw a mixture of versions")
            elif versions.index(seen) < last:
                problems.add("a reader saw version 1 after version 2")
            else:
                last = versions.index(seen)
        if told:
            sys.stdin.readline()
            return {"looks": looks, "problems": sorted(problems)}


if __name__ == "__main__":
    main()
