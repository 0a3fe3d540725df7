"""The process between a local launcher and the run: it outlives the first and waits for the second.

Started by path with ``python -I -S``, so it imports nothing of this project and nothing installed.
Arguments: the launch's directory, the number of the inherited lock, the file of the run's credentials (or nothing), then
the command. The credentials are read here, so that whoever starts a run never has them.
The lock is held by this process and by the run it starts; when the last of them is gone, the kernel
lets it go. That is how everybody else knows, without clocks and without trusting process numbers.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Atomically: a reader sees nothing or all of it."""
    aside = path.with_suffix(".tmp")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def started(pid: int) -> int:
    """When a process began, in clock ticks since boot: tells two processes of one number apart."""
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])


def credentials_of(path: str) -> dict[str, str]:
    """The variables in the file ``path``; none where there is no path. Raises: OSError, ValueError."""
    if not path:
        return {}
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise PermissionError("others than its owner may open it")
        found = json.load(file)
    if not isinstance(found, dict) or not all(n.startswith("AWS_") and isinstance(v, str) for n, v in found.items()):
        raise ValueError
    return found


def run(command: list[str], lock: int, credentials: str) -> int:
    try:
        environment = {**os.environ, **credentials_of(credentials)}
    except (OSError, ValueError) as error:
        # Not a parser's own words: they may quote what it reads.
        told = error if isinstance(error, OSError) else "not a JSON object of variables that begin with AWS_"
        print(f"cannot use the credentials in {credentials}: {told}", file=sys.stderr, flush=True)
        return 78
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(lock,), env=environment)
    except OSError as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr, flush=True)
        return 127
    return child.wait()


def detach() -> None:
    """Leave the starter's session and its children: it must neither end this process nor have to collect it."""
    if os.fork():
        os._exit(0)
    os.setsid()


def main() -> None:
    home, lock, credentials, command = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    detach()
    # The run decides what a polite signal means; this process must live to see how it ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    pid = os.getpid()
    write(home / "process.json", json.dumps({"pid": pid, "started": started(pid)}))
    # Whoever kills writes "killed" first and looks for process.json second; here it is the other way
    # round, so at least one of the two sees the other.
    if not (home / "killed").exists():
        write(home / "exit", str(run(command, lock, credentials)))


if __name__ == "__main__":
    main()
