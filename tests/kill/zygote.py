"""``python -m tests.kill.zygote module:Class``: has imported all a victim needs, and forks victims on demand.

One thread, so that a fork is safe. A line in is a victim to start or to reap; a line out is its id, then its end.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.kill.harness import load
from tests.kill.steps import Steps


def main() -> None:
    subject = load(sys.argv[1])
    with TemporaryDirectory() as folder:
        # Whatever is imported on first use is imported now, not in every victim.
        subject.produce(Path(folder), 1, 1)
    assert not foreign_threads(), "a fork beside other threads would not be safe"
    read, write = os.pipe()
    for line in sys.stdin:
        message = json.loads(line)
        if "reap" not in message:
            answer: dict[str, Any] = {"pid": fork(subject, message, write)}
        else:
            answer = reap(message["reap"], read, write)
        print(json.dumps(answer), flush=True)


def foreign_threads() -> set[str]:
    """Threads beside this one, but for the allocator's, which knows of forks. Linux only; elsewhere none is found."""
    names = {
        path.read_text().strip()
        for path in Path("/proc/self/task").glob("*/comm")
        if path.parent.name != str(os.getpid())
    }
    return names - {"jemalloc_bg_thd"}


def fork(subject: Any, message: dict[str, Any], write: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    steps = Steps(message["step"] or 0)
    try:
        if message["step"] is not None:
            steps.arm()
        subject.produce(Path(message["place"]), message["generation"], message["attempt"])
        os.write(write, str(steps.count).encode())
        os._exit(0)
    except BaseException:
        os.write(write, traceback.format_exc()[-1500:].encode())
    os._exit(1)


def reap(pid: int, read: int, write: int) -> dict[str, Any]:
    _, status = os.waitpid(pid, 0)
    os.write(write, b"\n")
    words = os.read(read, 4000).decode(errors="replace").strip()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return {"ended": "killed", "words": words}
    return {"ended": "finished" if status == 0 else "failed", "words": words}


if __name__ == "__main__":
    main()
