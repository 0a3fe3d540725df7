"""The one door to a cluster's API: server-side apply under one name, and what an answer means. The only importer of the client."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config, new_client_from_config_dict
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, GoneError, NotFoundError, ResourceNotFoundError
from kubernetes.watch.watch import iter_resp_lines
from urllib3.exceptions import HTTPError, SSLError

from framework.errors import ClusterUnavailable, ConfigError, SetupError, clip
from k8s.answers import meaning
from k8s.render.objects import Obj, address

MANAGER: Final = "teamspark"
TIMEOUT_S: Final = (5, 20)
"""To connect, and to read."""


class Place(NamedTuple):
    """An object's address."""

    api: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, one: Obj) -> "Place":
        return cls(*address(one))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Cluster:
    """A cluster as one identity sees it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = DynamicClient(client)

    @classmethod
    def of(cls, kubeconfig: Path, context: str | None = None) -> "Cluster":
        """Raises: ConfigError for a file that is none; ClusterUnavailable."""
        try:
            data = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError("not a kubeconfig", where=str(kubeconfig), got=clip(str(error), 120)) from error
        if not isinstance(data, dict):
            raise ConfigError(
                "not a kubeconfig", where=str(kubeconfig), got="nothing" if data is None else f"a {type(data).__name__}"
            )
        return cls.with_config(data, context, where=str(kubeconfig))

    @classmethod
    def with_config(
        cls, data: Mapping[str, Any], context: str | None = None, *, where: str = "kubeconfig"
    ) -> "Cluster":
        """As ``of``, for the content of such a file."""
        try:
            client = new_client_from_config_dict(dict(data), context=context, persist_config=False)
        except (ConfigException, TypeError, KeyError) as error:
            raise ConfigError("not a kubeconfig", where=where, got=clip(str(error), 120)) from error
        client.configuration.retries = 0  # who asks decides whether to ask again
        with translated(where):
            return cls(client)

    @classmethod
    def within(cls) -> "Cluster":
        """The cluster that this process is a pod of, under the pod's own account. Raises: as ``of``."""
        made = Configuration()
        try:
            load_incluster_config(client_configuration=made)
        except ConfigException as error:
            raise ConfigError(
                "this is no pod of a cluster", got=clip(str(error), 120), next_step="use a kubeconfig"
            ) from error
        made.retries = 0
        with translated("this pod's cluster"):
            return cls(ApiClient(made))

    def apply(self, one: Obj, *, dry_run: bool = False) -> Obj:
        """Make it so: fields that we name are ours, whoever had them before. What was already so is not written.

        Raises: PolicyError, SetupError, ConfigError, ClusterUnavailable.
        """
        with translated(str(Place.of(one))):
            found = self._kind(one["apiVersion"], one["kind"]).server_side_apply(
                body=one, name=one["metadata"]["name"], namespace=one["metadata"].get("namespace"),
                field_manager=MANAGER, force_conflicts=True, _request_timeout=TIMEOUT_S,
                **({"dry_run": "All"} if dry_run else {}),
            )  # fmt: skip
            told: Obj = found.to_dict()
            return told

    def get(self, place: Place) -> Obj | None:
        """The object; None when there is none, or no such kind. Raises: as ``apply``."""
        with translated(str(place)):
            try:
                found = self._kind(place.api, place.kind).get(
                    name=place.name, namespace=place.namespace or None, _request_timeout=TIMEOUT_S
                )
            except (NotFoundError, ResourceNotFoundError):
                return None
            told: Obj = found.to_dict()
            return told

    def list(self, api: str, kind: str, *, namespace: str | None = None, labels: str | None = None) -> tuple[Obj, ...]:
        """Every object of a kind, or those with these labels. Raises: as ``apply``."""
        with translated(kind):
            try:
                found = self._kind(api, kind).get(
                    namespace=namespace, label_selector=labels, _request_timeout=TIMEOUT_S
                )
            except ResourceNotFoundError:
                return ()
            return tuple(one.to_dict() for one in found.items)

    def watch(
        self, api: str, kind: str, *, namespace: str | None = None, since: str | None = None, lives_s: int = 60
    ) -> Iterator[tuple[str, Obj]]:
        """What becomes of a kind after version ``since`` of its list: ADDED, MODIFIED or DELETED, and the object.

        Without ``since`` it begins with all there are, as ADDED. It ends after ``lives_s``, or when the server no longer
        knows ``since``: then list again. Raises: as ``apply``.
        """
        with translated(kind):
            try:
                found = self._kind(api, kind).get(
                    namespace=namespace, resource_version=since, watch=True, timeout_seconds=lives_s,
                    serialize=False, _request_timeout=(TIMEOUT_S[0], lives_s + TIMEOUT_S[0]),
                )  # fmt: skip
            except GoneError:
                return
            with closing(found):  # closed, not given back: somebody may leave in the middle of an answer
                for line in iter_resp_lines(found):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]

    def create(self, one: Obj, *, dry_run: bool = False) -> Obj:
        """As anybody would. Raises: as ``apply``."""
        with translated(str(Place.of({**one, "metadata": {"name": "(new)", **one["metadata"]}}))):
            found = self._kind(one["apiVersion"], one["kind"]).create(
                body=one, namespace=one["metadata"].get("namespace"), _request_timeout=TIMEOUT_S,
                **({"dry_run": "All"} if dry_run else {}),
            )  # fmt: skip
            told: Obj = found.to_dict()
            return told

    def delete(self, place: Place, *, uid: str | None = None, grace_s: int | None = None) -> bool:
        """Whether it was there, and, with ``uid``, was that one and no other of its name. What it owns goes with it.

        Raises: as ``apply``.
        """
        body: Obj = {"propagationPolicy": "Background"}
        if uid is not None:
            body["preconditions"] = {"uid": uid}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        with translated(str(place)):
            try:
                self._kind(place.api, place.kind).delete(
                    name=place.name, namespace=place.namespace or None, _request_timeout=TIMEOUT_S, body=body
                )
            except (NotFoundError, ResourceNotFoundError):
                return False
            except ConflictError:
                if uid is None:
                    raise
                return False
            return True

    def replace(self, one: Obj) -> Obj:
        """Write the whole object, if nobody has since its ``resourceVersion``. Raises: as ``apply``; Conflict if somebody has."""
        with translated(str(Place.of(one))):
            found = self._kind(one["apiVersion"], one["kind"]).replace(
                body=one, namespace=one["metadata"].get("namespace"), _request_timeout=TIMEOUT_S
            )
            told: Obj = found.to_dict()
            return told

    def token(self, namespace: str, account: str, *, audiences: tuple[str, ...] = (), lives_s: int = 3600) -> str:
        """A service account's token, as a node gets it for a pod. Raises: as ``apply``."""
        spec = {"expirationSeconds": lives_s, **({"audiences": list(audiences)} if audiences else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        named = {**body, "metadata": {"name": account, "namespace": namespace}}
        return str(self.create_below("v1", "ServiceAccount", "token", named)["status"]["token"])

    def create_below(self, api: str, kind: str, part: str, one: Obj) -> Obj:
        """A request to a part of an object, such as ``Pod`` and ``eviction``: ``one`` names whose. Raises: as ``apply``."""
        name, namespace = one["metadata"]["name"], one["metadata"]["namespace"]
        with translated(f"{kind} {namespace}/{name}"):
            found = (
                self._kind(api, kind)
                .subresources[part]
                .create(body=one, name=name, namespace=namespace, _request_timeout=TIMEOUT_S)
            )
            told: Obj = found.to_dict()
            return told

    def as_bearer(self, token: str) -> "Cluster":
        """The same cluster, as whoever has ``token`` sees it. Raises: as ``apply``."""
        known = self._client.configuration
        cluster = {"server": known.host, **({"certificate-authority": known.ssl_ca_cert} if known.ssl_ca_cert else {})}
        return Cluster.with_config(kubeconfig(cluster, {"token": token}, "default"))

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> str:
        """The answer to a request that has no method here: the doors of a pod, another's name, keys.

        Raises: as ``apply``.
        """
        return self.ask_bytes(method, path, headers=headers).decode()

    def ask_bytes(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> bytes:
        """As ``ask``, for an answer that need not be text."""
        with translated(path):
            found = self._client.request(
                method, path, header_params=dict(headers or {}), serialize=False, _request_timeout=TIMEOUT_S
            )
            answer: bytes = found.data
            return answer

    def _kind(self, api: str, kind: str) -> Any:
        return self._client.resources.get(api_version=api, kind=kind)


def kubeconfig(cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """The content of a kubeconfig with one cluster, one user and one context."""
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "local",
        "clusters": [{"name": "local", "cluster": dict(cluster)}],
        "users": [{"name": "local", "user": dict(user)}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "local", "namespace": namespace}}],
    }  # fmt: skip


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raises: PolicyError when the cluster denies; ConfigError when it does not take an object; SetupError for a foreign
    cluster or identity; ClusterUnavailable when it may answer another time.
    """
    try:
        yield
    except ApiException as error:
        raise meaning(int(error.status or 0), str(error.reason), str(error.body or ""), where=where) from error
    except ResourceNotFoundError as error:
        raise SetupError("this cluster lacks a kind of object", where=where, got=clip(str(error), 120)) from error
    except (HTTPError, OSError) as error:
        if isinstance(getattr(error, "reason", error), SSLError):
            raise SetupError(
                "the cluster's certificate is not one that this kubeconfig trusts",
                where=where,
                got=clip(str(error), 200),
                next_step="correct certificate-authority-data in the kubeconfig",
            ) from error
        raise ClusterUnavailable(
            "the cluster does not answer", where=where, got=clip(str(error), 200), next_step="run again when it does"
        ) from error
