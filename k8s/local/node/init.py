"""The first process of a node, inside its namespaces: it prepares them, starts every program, starts again what ends, and
collects what others leave behind. When it ends, the kernel ends all of the node.

    python -m k8s.local.node.init LAYOUT
"""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from k8s.local.asking import answers
from k8s.local.node.files import CNI_STATE
from k8s.local.node.layout import NODE, Layout
from k8s.local.node.programs import FIRST, Command, programs

# Kubelet wants these of the whole machine, and ends where it may not set them. It is shown files that hold them already.
_WANTED: Final = {
    "vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}  # fmt: skip
_POLL_S: Final = 0.05
_AGAIN_S: Final = 1.0


def main() -> None:
    layout = Layout.parse(Path(sys.argv[1]).read_text())
    _mounts(layout)
    _network(layout)
    wanted = programs(layout)
    running = {_start(layout, name, wanted[name]): name for name in FIRST}
    _forget_containers()
    _await_api(layout)
    running |= {_start(layout, name, wanted[name]): name for name in wanted if name not in FIRST}
    _keep(layout, running, wanted)


def _mounts(layout: Layout) -> None:
    _do("mount", "--make-rshared", "/")  # as kubelet wants it; in a group of this namespace's own
    _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")  # containerd's shims are always below it
    log = layout.home / "var-log"
    log.mkdir(exist_ok=True)
    _do("mount", "--bind", str(log), "/var/log")  # kubelet links logs there, whatever it is told
    given = layout.home / "cni-state"
    given.mkdir(exist_ok=True)
    Path(CNI_STATE).mkdir(exist_ok=True)
    _do("mount", "--bind", str(given), CNI_STATE)  # where the network keeps what it has done, whatever it is told
    Path("/var/lib/kubelet").mkdir(exist_ok=True)
    _do("mount", "-t", "tmpfs", "tmpfs", "/var/lib/kubelet")  # where devices' plugins are, whatever it is told
    for name, value in _WANTED.items():
        file = layout.run / name.replace("/", "-")
        file.write_text(f"{value}\n")
        _do("mount", "--bind", str(file), f"/proc/sys/{name}")


def _network(layout: Layout) -> None:
    socket.sethostname(NODE)
    _do("ip", "link", "set", "lo", "up")
    while not Path(f"/sys/class/net/{layout.cable}").exists():  # who made this namespace gives it one end of a cable
        if layout.cable in {name for _, name in socket.if_nameindex()}:
            break  # /sys may still show the other namespace
        time.sleep(_POLL_S)
    _do("ip", "addr", "add", f"{layout.address}/24", "dev", layout.cable)
    _do("ip", "link", "set", layout.cable, "up")
    _do("ip", "route", "add", "default", "via", layout.host)  # programs want one; the machine forwards nothing
    settings = Path("/proc/sys/net/ipv4")
    (settings / "ip_forward").write_text("1")
    for name in ("all", "default"):
        # Who sends under another's address is not heard.
        (settings / "conf" / name / "rp_filter").write_text("1")


def _start(layout: Layout, name: str, command: Command) -> int:
    environment = {"HOME": str(layout.home), "PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
    with (layout.logs / f"{name}.log").open("ab") as log:
        started = subprocess.Popen(
            [command.program, *command.arguments],
            env=environment,
            cwd=layout.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (layout.run / f"{name}.pid").write_text(str(started.pid))
    started.returncode = 0  # it is collected here, by number
    return started.pid


def _forget_containers() -> None:
    """Those of a node that was killed: their pods are not in the empty store of this one."""
    for _ in range(600):
        if subprocess.run(["ctr", "version"], capture_output=True, check=False).returncode == 0:
            break
        time.sleep(_POLL_S)
    listed = subprocess.run(
        ["ctr", "-n", "k8s.io", "containers", "ls", "-q"], capture_output=True, text=True, check=False
    )
    if names := listed.stdout.split():
        subprocess.run(["ctr", "-n", "k8s.io", "containers", "rm", *names], check=False)


def _await_api(layout: Layout) -> None:
    check = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    while not answers(layout.address, layout.where.api, check):
        time.sleep(_POLL_S)


def _keep(layout: Layout, running: dict[int, str], wanted: dict[str, Command]) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        pid, status = os.wait()
        name = running.pop(pid, None)
        if name is not None:
            print(f"{name} ended ({os.waitstatus_to_exitcode(status)}) and is started again", flush=True)
            time.sleep(_AGAIN_S)
            running[_start(layout, name, wanted[name])] = name


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
