"""Sessions as the kernel knows them: the unit in which a process and all that it started are found and ended.

Linux only: they are read from ``/proc``.
"""

from pathlib import Path


def members(session: int) -> set[int]:
    """The living processes of ``session``; a zombie that nobody has collected is not living."""
    everybody = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return {pid for pid in everybody if _session(pid) == session}


def _session(pid: int) -> int | None:
    """The session of a living process, else None."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    state, _parent, _group, session = stat.rpartition(b")")[2].split()[:4]
    return None if state in (b"Z", b"X") else int(session)
