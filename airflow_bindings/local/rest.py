"""A small client of Airflow's REST API: one user, the calls that the demo and the tests need.

A ``Request`` is built first, as plain data, and sent second. Proxies of the environment are not used: Airflow
is on this machine.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from airflow_bindings.local.errors import AirflowRefused, AirflowUnavailable
from framework.errors import clip

TIMEOUT_S: Final = 30.0
FINISHED: Final = frozenset({"success", "failed"})
POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """One call: ``path`` below the server's address, ``body`` to be sent as JSON."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, and the JSON (or the text, where it was none)."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class RunId:
    """A DAG run, as REST names it."""

    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"{_dag_path(self.dag_id)}/dagRuns/{quote(self.run_id, safe='')}"


def _dag_path(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}"


def send(url: str, request: Request, token: str | None = None) -> Reply:
    """Send ``request``. Raises: AirflowUnavailable when nobody answers; any answer is returned."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if request.body is None else json.dumps(request.body).encode()
    call = urllib.request.Request(url + request.path, data, headers, method=request.method)  # noqa: S310 - our own http address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(call, timeout=TIMEOUT_S) as answer:
            return Reply(answer.status, _parsed(answer.read()))
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, _parsed(error.read()))
    except OSError as error:
        raise AirflowUnavailable("Airflow did not answer", where=url + request.path, got=str(error)) from error


def _parsed(data: bytes) -> Any:
    text = data.decode(errors="replace")
    try:
        return json.loads(text) if text else None
    except json.JSONDecodeError:
        return text


@dataclass(slots=True)
class Client:
    """Airflow as one user sees it. Every method raises AirflowRefused or AirflowUnavailable."""

    url: str
    user: str
    password: str = field(repr=False)
    _token: str | None = field(default=None, init=False, repr=False)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """Any request, logged in; a token that ran out is renewed once."""
        request = Request(method, path, body)
        reply = send(self.url, request, self._token or self.login())
        if reply.status == HTTPStatus.UNAUTHORIZED:
            reply = send(self.url, request, self.login())
        return reply

    def login(self) -> str:
        """A fresh token, also kept for the calls that follow."""
        request = Request("POST", "/auth/token", {"username": self.user, "password": self.password})
        self._token = str(_mapping(_ok(request, send(self.url, request)))["access_token"])
        return self._token

    def health(self) -> Mapping[str, Any]:
        """Airflow's own view of its components; needs no login."""
        return _mapping(_ok(_HEALTH, send(self.url, _HEALTH)))

    def warm_up(self) -> None:
        """Have the API that tasks speak to built now: its first request takes seconds, else of the first task's time."""
        _ok(_TASK_API, send(self.url, _TASK_API))

    def dag(self, dag_id: str) -> Mapping[str, Any] | None:
        """The DAG's record, or None when it is not (yet) known."""
        reply = self.call("GET", _dag_path(dag_id))
        return None if reply.status == HTTPStatus.NOT_FOUND else _mapping(_ok(Request("GET", dag_id), reply))

    def read_again(self, record: Mapping[str, Any]) -> None:
        """Have the file of a DAG's record read before others; AirflowRefused where that is asked for already."""
        path = f"/api/v2/parseDagFile/{quote(record['file_token'], safe='')}"
        _ok(Request("PUT", path), self.call("PUT", path))

    def import_errors(self) -> list[Mapping[str, Any]]:
        """DAG files that could not be read: ``filename``, ``bundle_name``, ``stack_trace``."""
        return list(self._get("/api/v2/importErrors")["import_errors"])

    def unpause(self, dag_id: str) -> None:
        self._do("PATCH", _dag_path(dag_id), {"is_paused": False})

    def trigger(self, dag_id: str, logical_date: datetime | None) -> RunId:
        """A new run; AirflowRefused if there is one of that logical date."""
        body = {"logical_date": None if logical_date is None else _stamp(logical_date)}
        return RunId(dag_id, self._do("POST", f"{_dag_path(dag_id)}/dagRuns", body)["dag_run_id"])

    def run_of(self, dag_id: str, logical_date: datetime) -> RunId | None:
        """The run of that logical date, if there is one."""
        stamp = _stamp(logical_date)
        query = urlencode({"logical_date_gte": stamp, "logical_date_lte": stamp})
        runs = self._get(f"{_dag_path(dag_id)}/dagRuns?{query}")["dag_runs"]
        return RunId(dag_id, runs[0]["dag_run_id"]) if runs else None

    def clear(self, run: RunId) -> None:
        """Make every task of ``run`` run again, as a newcomer would by pressing Clear."""
        self._do("POST", f"{run.path}/clear", {"dry_run": False, "only_failed": False})

    def delete(self, run: RunId) -> None:
        """Forget ``run``, whatever its state; what it published stays."""
        _ok(Request("DELETE", run.path), self.call("DELETE", run.path))

    def state(self, run: RunId) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        return str(self._get(run.path)["state"])

    def wait(self, run: RunId, timeout_s: float) -> str:
        """The state of ``run`` once it has finished, or its last one when ``timeout_s`` is over."""
        deadline = time.monotonic() + timeout_s
        while (state := self.state(run)) not in FINISHED and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return state

    def task_instances(self, run: RunId) -> list[Mapping[str, Any]]:
        """The run's task instances: ``task_id``, ``map_index``, ``state``, ``try_number``, ``duration`` ..."""
        return list(self._get(f"{run.path}/taskInstances?limit=100")["task_instances"])

    def xcom(self, run: RunId, task_id: str, map_index: int = -1) -> Any:
        """What the task returned, or None when it returned nothing."""
        query = f"?map_index={map_index}&deserialize=true" if map_index >= 0 else "?deserialize=true"
        path = f"{run.path}/taskInstances/{quote(task_id, safe='')}/xcomEntries/return_value{query}"
        reply = self.call("GET", path)
        return None if reply.status == HTTPStatus.NOT_FOUND else _ok(Request("GET", path), reply)["value"]

    def log(self, run: RunId, instance: Mapping[str, Any]) -> list[str]:
        """The lines that the task instance's latest try logged."""
        task = f"{run.path}/taskInstances/{quote(instance['task_id'], safe='')}"
        query = f"?map_index={instance['map_index']}&full_content=true"
        content = self._get(f"{task}/logs/{instance['try_number']}{query}")["content"]
        return [line if isinstance(line, str) else str(line.get("event", "")) for line in content]

    def _get(self, path: str) -> Mapping[str, Any]:
        return self._do("GET", path)

    def _do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        return _mapping(_ok(Request(method, path), self.call(method, path, body)))


_HEALTH: Final = Request("GET", "/api/v2/monitor/health")
_TASK_API: Final = Request("GET", "/execution/health")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _ok(request: Request, reply: Reply) -> Any:
    if reply.status < HTTPStatus.BAD_REQUEST:
        return reply.body
    detail = reply.body.get("detail", reply.body) if isinstance(reply.body, dict) else reply.body
    kind = AirflowUnavailable if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR else AirflowRefused
    raise kind(
        f"Airflow answered {reply.status}",
        where=f"{request.method} {request.path}",
        got=clip(detail if isinstance(detail, str) else json.dumps(detail)),
    )


def _mapping(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise AirflowUnavailable("Airflow answered something else than an object", got=clip(body))
    return body
