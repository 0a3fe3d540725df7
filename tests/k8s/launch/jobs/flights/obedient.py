"""A driver for tests of a launch's life on a cluster: it does what its parameters say instead of running Spark.

``do`` says how it ends, ``first`` what the first launches do instead; with ``until`` it waits for the file ``/tmp/go``.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

CODES = {"published": 0, "failed": 65, "retryable": 74, "not_yet": 75}


def main() -> None:
    config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    result = Path(sys.argv[sys.argv.index("--result") + 1])
    told, before = config["parameters"], config["epoch"]["launch"] - 1
    print(f"running {config['job']} as launch {before + 1}", flush=True)
    while "until" in told and not Path("/tmp/go").exists():
        time.sleep(0.05)
    do = (told.get("first", []) + [told.get("do", "published")] * (before + 1))[before]
    if do == "killed":
        signal.raise_signal(signal.SIGKILL)
    if do == "greedy":
        held = [b"x" * 2**20 for _ in range(4096)]
        print(len(held))
    if do == "silent":
        sys.exit(1)
    result.write_text(json.dumps(facts(config, do)))
    os._exit(CODES[do])


def facts(config: dict[str, Any], do: str) -> dict[str, Any]:
    key = config["key"]
    if do == "published":
        return {"verdict": "published", "key": key, "attempt": 1, "path": "/flights/x", "digest": "0" * 64}
    error = {
        "error": "NotYet" if do == "not_yet" else "Told",
        "retryable": do != "failed",
        "message": f"told to end as {do}",
    }
    return {"verdict": "not_yet" if do == "not_yet" else "failed", "key": key, "error": error}


if __name__ == "__main__":
    main()
