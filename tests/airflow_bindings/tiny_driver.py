"""A driver for lifecycle tests: obeys its parameters instead of running Spark.

The platform's setting ``driver`` names it. It keeps the contract of the real one: ``--config``, ``--result``,
exit codes, a result that appears whole. ``do`` says how it ends; ``until`` names a file it waits for first;
``first`` is what the first launches do instead, one after the other.
"""

import json
import os
import signal
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

CODES = {"published": 0, "failed": 65, "retryable": 74, "not_yet": 75}


def main() -> None:
    config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
    result = Path(sys.argv[sys.argv.index("--result") + 1])
    told = config["parameters"]
    before = note(config)
    print(f"running {config['job']}", flush=True)
    if "until" in told:
        while not Path(told["until"]).exists():
            time.sleep(0.02)
    do = (told.get("first", []) + [told.get("do", "published")] * (before + 1))[before]
    if do == "lost":
        os.kill(os.getpid(), signal.SIGKILL)
    if do == "silent":
        sys.exit(1)
    leave(result, config, do)
    sys.exit(CODES[do])


def note(config: dict[str, Any]) -> int:
    """Write down that this launch began; the number of launches of its run key before it."""
    seen = Path("launches.jsonl")
    with seen.open("a", encoding="utf-8") as file:
        facts = {"pid": os.getpid(), "env": dict(os.environ), "handed": handed()}
        file.write(json.dumps({**config, **facts}) + "\n")
    lines = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]
    return len([line for line in lines if line["key"] == config["key"]]) - 1


def handed() -> dict[str, Any] | None:
    """What is known of the file of secrets without telling one: its mode, its names, a digest of each password."""
    if "--connections" not in sys.argv:
        return None
    path = Path(sys.argv[sys.argv.index("--connections") + 1])
    found = json.loads(path.read_text())["connections"]
    digests = {name: sha256((one["password"] or "").encode()).hexdigest() for name, one in found.items()}
    plain = {
        name: {key: one[key] for key in ("kind", "host", "port", "database", "user")} for name, one in found.items()
    }
    return {"mode": oct(path.stat().st_mode & 0o777), "digests": digests, "plain": plain}


def leave(path: Path, config: dict[str, Any], do: str) -> None:
    result: dict[str, Any] = {
        "version": 1,
        "verdict": "failed" if do == "retryable" else do,
        "key": config["key"],
        "error": None,
    }
    if do == "published":
        rows = {"rows": 3, "bytes": 30, "files": 1}
        facts = {"attempt": config["epoch"]["launch"], "path": "/somewhere", "digest": "d" * 64}
        result |= facts | {"outputs": {"default": rows, "rejects": rows}}
    else:
        kind = {"failed": "JobFailed", "retryable": "StoreUnavailable", "not_yet": "NotYet"}[do]
        result["error"] = {"error": kind, "retryable": do != "failed", "message": f"told to end as {do}"}
    aside = path.with_suffix(".tmp")
    aside.write_text(json.dumps(result), encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main()
