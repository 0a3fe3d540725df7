"""A node from outside: started, made ready, found again, and taken away with all that it left."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from framework.servers import processes
from framework.servers.private import private_folder
from k8s.client import Cluster
from k8s.local.node import cgroups, making, names
from k8s.local.node.images import import_images, own_images
from k8s.local.node.layout import Layout


@dataclass(frozen=True, slots=True)
class Node:
    """One that is up. ``init``: the first process of its namespaces."""

    layout: Layout
    init: int

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the node's namespaces."""
        entered = ["nsenter", "--target", str(self.init), "--mount", "--net", "--pid", "--ipc", "--uts", "--", *command]
        return subprocess.run(entered, capture_output=True, text=True, check=False, timeout=making.READY_S)


@contextmanager
def running(layout: Layout) -> Iterator[Node]:
    """A node as long as the block lasts, and as this process lives. Raises: as ``up``."""
    private_folder(layout.home)
    with processes.only_one(layout.home, f"the local cluster '{layout.name}'"):
        started, node = _up(layout, dies_with_us=True)
        try:
            yield node
        finally:
            _end(node.layout, started)


def up(layout: Layout) -> Node:
    """Start a node that begins empty and outlives this process, and wait until pods can run on it.

    Raises: SetupError without its programs or rights, or when it runs already; ServerFailed with the end of a log.
    """
    private_folder(layout.home)
    with processes.only_one(layout.home, f"the local cluster '{layout.name}'"):
        return _up(layout, dies_with_us=False)[1]


def down(layout: Layout) -> bool:
    """End the node and take away what is outside of its namespaces. Whether there was one."""
    there = found(layout)
    ended = processes.end_leftovers(layout.home / "processes.json")
    if there is not None:  # the kernel does, in a while
        subprocess.run(["ip", "link", "del", there.layout.device], capture_output=True, check=False)
    cgroups.remove(layout.cgroup)
    return bool(ended)


def found(layout: Layout) -> Node | None:
    """The node that runs with this state; None when none does."""
    file, known = layout.run / "layout.json", layout.run / "init.pid"
    if not known.exists() or not file.exists():
        return None
    init = int(known.read_text())
    return Node(Layout.parse(file.read_text()), init) if _is_init(init) else None


def _is_init(pid: int) -> bool:
    try:
        return b"k8s.local.node.init" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _up(layout: Layout, *, dies_with_us: bool) -> tuple[processes.Started, Node]:
    making.require_programs()
    down(layout)
    layout = replace(layout, slot=making.free_slot(layout.slot))
    making.furnish(layout)
    cgroups.make(layout.cgroup)
    started = processes.start(making.program(layout, dies_with_us=dies_with_us))
    processes.remember(layout.home / "processes.json", [started])
    try:
        node = Node(layout, making.connect(layout, started))
        _await_node(node, started)
    except BaseException:
        _end(layout, started)
        raise
    return started, node


def _end(layout: Layout, started: processes.Started) -> None:
    down(layout)
    started.process.wait()


def _await_node(node: Node, started: processes.Started) -> None:
    layout = node.layout
    wait = partial(processes.await_ready, [started], within_s=making.READY_S, poll_s=0.05)
    wait(partial(making.without_api, layout))
    cluster = Cluster.of(node.kubeconfig)
    for one in (*names.walls(), *names.objects(layout)):
        cluster.apply(one)
    import_images(layout, [*own_images(layout), *sorted(layout.images.glob("*.tar"))], node.inside)
    # A pod that lacks something at first is looked at again after eight seconds only.
    wait(partial(making.not_furnished, cluster))
    cluster.apply(names.pod())
    wait(partial(making.not_ready, cluster))
