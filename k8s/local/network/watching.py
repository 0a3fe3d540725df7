"""Follows policies, pods and namespaces, and applies what they compile to when that changes.

One thread a kind puts what the API server tells into a queue; one loop takes it out, and alone knows what there is.
"""

import json
import logging
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NoReturn, TypeAlias

from framework.errors import ClusterUnavailable, ServerFailed, SetupError, TeamsparkError, clip
from k8s.client import Cluster
from k8s.local.network.compiling import TABLE, Node, compiled
from k8s.local.network.early import addresses_in, stamp, with_addresses
from k8s.render.objects import Obj

KINDS: Final = {
    "NetworkPolicy": ("networking.k8s.io/v1", "/apis/networking.k8s.io/v1/networkpolicies"),
    "Pod": ("v1", "/api/v1/pods"),
    "Namespace": ("v1", "/api/v1/namespaces"),
}
"""With their version, and where all of them are."""
APART_S: Final = 0.05
"""Between two applies."""
AGAIN_S: Final = 1.0
WATCH_S: Final = 60
_NFT_S: Final = 30
_log: Final = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, str]
Objects: TypeAlias = Mapping[Key, Obj]


@dataclass(frozen=True, slots=True)
class Known:
    """All objects by kind; None for a kind that was never listed. ``addresses``: of pods, by UID, as this node's network has them."""

    kinds: Mapping[str, Objects | None]
    addresses: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return None not in self.kinds.values()

    def of(self, kind: str) -> tuple[Obj, ...]:
        return tuple((self.kinds[kind] or {}).values())


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind."""

    kind: str
    objects: tuple[Obj, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of one object."""

    kind: str
    event: str
    one: Obj


@dataclass(frozen=True, slots=True)
class Addressed:
    """The addresses that this node has given, by the pods' UIDs."""

    by_uid: Mapping[str, str]


News: TypeAlias = Listed | Changed | Addressed
Told: TypeAlias = News | BaseException


def folded(known: Known, told: Iterable[News]) -> Known:
    """What is known after that, in turn."""
    addresses = known.addresses
    kinds = {kind: None if objects is None else dict(objects) for kind, objects in known.kinds.items()}
    for one in told:
        if isinstance(one, Addressed):
            addresses = one.by_uid
        elif isinstance(one, Listed):
            kinds[one.kind] = {_key(each): each for each in one.objects}
        elif one.event == "DELETED":
            (kinds[one.kind] or {}).pop(_key(one.one), None)
        else:
            kinds[one.kind] = {**(kinds[one.kind] or {}), _key(one.one): one.one}
    return replace(known, kinds=kinds, addresses=addresses)


def _key(one: Obj) -> Key:
    return one["metadata"].get("namespace", ""), one["metadata"]["name"]


def enforce(kubeconfig: Path, node: Node, nft: Path, given: Path | None = None) -> NoReturn:
    """Until the process ends; the table stays as it is then. ``given``: the folder that tells of pods' addresses first.

    Raises: ConfigError; SetupError without ``nft``; ServerFailed when it may not set rules.
    """
    if not _there(nft):
        _apply(nft, compiled((), (), (), node))
        _log.info("closed until policies and pods are known")
    queue: SimpleQueue[Told] = SimpleQueue()
    for kind in KINDS:
        threading.Thread(target=_follow, args=(kind, kubeconfig, queue), name=kind, daemon=True).start()
    if given is not None:
        threading.Thread(target=_look, args=(given, queue), name="addresses", daemon=True).start()
    known, last = Known(dict.fromkeys(KINDS)), ""
    while True:
        known = folded(known, _batch(queue, AGAIN_S if last == "" and known.complete else None))
        if known.complete:
            last = _renewed(known, node, nft, last)
        time.sleep(APART_S)


def _renewed(known: Known, node: Node, nft: Path, last: str) -> str:
    """What is in force; nothing that is known to be, when nft did not take it."""
    began = time.monotonic()
    pods = with_addresses(known.of("Pod"), known.addresses)
    text = compiled(known.of("NetworkPolicy"), pods, known.of("Namespace"), node)
    if text == last:
        return last
    try:
        _apply(nft, text)
    except ServerFailed as error:
        _log.error("the last rules stay: %s", error)
        return ""
    counts = ", ".join(f"{len(known.of(kind))} {kind}" for kind in KINDS)
    _log.info("applied in %.0f ms: %s", (time.monotonic() - began) * 1000, counts)
    return text


def _batch(queue: SimpleQueue[Told], wait_s: float | None) -> list[News]:
    """All that is told, at least one unless ``wait_s`` pass. Raises: what ended a thread."""
    found: list[News] = []
    try:
        told = queue.get(timeout=wait_s)
        while True:
            if isinstance(told, BaseException):
                raise told
            found.append(told)
            told = queue.get_nowait()
    except Empty:
        return found


def _follow(kind: str, kubeconfig: Path, queue: SimpleQueue[Told]) -> None:
    """What ends this ends the program: rules that no longer follow are worse than none that start again."""
    try:
        cluster = _connected(kubeconfig)
        while True:
            try:
                _round(cluster, kind, queue)
            except TeamsparkError as error:
                _log.warning("%s: %s", kind, clip(error.what))
                time.sleep(AGAIN_S)
    except BaseException as error:  # noqa: BLE001 raised again where it is taken out
        queue.put(error)


def _look(folder: Path, queue: SimpleQueue[Told]) -> None:
    """As ``_follow``."""
    last = -1
    try:
        while True:
            if (now := stamp(folder)) != last:
                addresses, whole = addresses_in(folder)
                queue.put(Addressed(addresses))
                last = now if whole else -1
            time.sleep(APART_S)
    except BaseException as error:  # noqa: BLE001 raised again where it is taken out
        queue.put(error)


def _round(cluster: Cluster, kind: str, queue: SimpleQueue[Told]) -> None:
    """From a list to the end of the watch that follows it."""
    api, path = KINDS[kind]
    found = json.loads(cluster.ask("GET", path))
    queue.put(Listed(kind, tuple(found["items"])))
    since = found["metadata"]["resourceVersion"]
    for event, one in cluster.watch(api, kind, since=since, lives_s=WATCH_S):
        queue.put(Changed(kind, event, one))
    time.sleep(APART_S)  # a server that ends every watch at once is not asked all the time


def _connected(kubeconfig: Path) -> Cluster:
    while True:
        try:
            return Cluster.of(kubeconfig)
        except ClusterUnavailable as error:
            _log.warning("%s", error.what)
            time.sleep(AGAIN_S)


def _there(nft: Path) -> bool:
    return _run([str(nft), "list", "table", *TABLE.split()], "").returncode == 0


def _apply(nft: Path, text: str) -> None:
    """Raises: ServerFailed with what nft says."""
    done = _run([str(nft), "-f", "-"], text)
    if done.returncode:
        raise ServerFailed(
            "nft did not take the rules", got=clip(done.stderr, 600), next_step="the kernel needs nf_tables"
        )


def _run(command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=_NFT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ServerFailed("nft does not end", got=f"more than {_NFT_S} s") from error
    except OSError as error:
        raise SetupError(
            "nft cannot be started", where=command[0], got=error.strerror, next_step="install nftables"
        ) from error
