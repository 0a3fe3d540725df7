"""A team's Alluxio in the foreground: it ends when one of its parts does, and whoever runs it starts it anew.

``READY`` in its home says that it answers; what it is before is mounted as it appears. The processes take on the pod's web
identity by ``credentials``: no key is in a file, an option or an environment.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from framework.cache.credentials import PROFILES, profile
from framework.cache.looking import unready
from framework.cache.parts import (
    MAIN,
    Wanted,
    environment_of,
    facts_of,
    mount_each,
    own_folder,
    points_of,
    program,
    write_files,
)
from framework.cache.properties import MOUNT, Layout
from framework.cache.rest import Proxy
from framework.jars.sync import ensure_jars
from framework.java import find_java
from framework.servers.private import write_private
from framework.servers.processes import Started, await_ready, start

READY: Final = "ready"
READY_S: Final = 300.0
_LOOK_S: Final = 1.0
# A folder can be mounted once something was published into it.
_MOUNT_S: Final = 15.0
_WITHIN_S: Final = 30.0


def serve(wanted: Wanted, layout: Layout, environ: Mapping[str, str], *, notice: Callable[[str], None]) -> None:
    """Start all parts, mount, and watch, for ever. Raises: ServerFailed when a part does not start, or ends; SetupError."""
    (layout.home / READY).unlink(missing_ok=True)
    java = find_java(environ)
    write_files(layout, ensure_jars("alluxio-server", notice=notice))
    environment = environment_of(wanted.store, identified(layout, environ))
    parts = [start(program(name, layout, java.executable, wanted, environment)) for name in MAIN]
    cluster = facts_of(wanted, layout)
    await_ready(parts, unready(cluster), within_s=READY_S)
    (layout.home / READY).touch()
    notice("it answers")
    _keep(parts, Proxy(cluster.proxy, within_s=_WITHIN_S), wanted, notice)


def identified(layout: Layout, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with the way to credentials that Alluxio's SDK can go: it knows web identities of AWS' own STS only."""
    text = profile(environ)
    if text is None:
        return dict(environ)
    file = layout.conf / "profiles"
    write_private(file, text)
    kept = {name: value for name, value in environ.items() if not name.startswith("AWS_")}
    return {**kept, PROFILES: str(file)}


def _keep(parts: Sequence[Started], proxy: Proxy, wanted: Wanted, notice: Callable[[str], None]) -> None:
    """Mount what is not mounted yet, and look after the parts, for ever."""
    missing, due = {MOUNT: (wanted.store, own_folder(wanted.store, wanted.team)), **points_of(wanted)}, 0.0
    while True:
        for part in parts:
            part.check()
        if missing and time.monotonic() >= due:
            before, due = missing, time.monotonic() + _MOUNT_S
            missing = mount_each(proxy, before)
            for store, path in (before[point] for point in before if point not in missing):
                notice(f"before {store.uri(path)}")
        time.sleep(_LOOK_S)
