"""A launcher whose credentials are no good, or whose cluster is not there: told as such, soon, and nothing is made."""

import time
from pathlib import Path
from typing import Any, Final

import jwt
import pytest

from framework.errors import ClusterUnavailable, SetupError, TeamsparkError
from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest, Phase, Resources, Share
from framework.servers.ports import HOST, free_ports
from k8s.answers import Stranger
from k8s.client import Cluster, Place
from k8s.launch.launcher import Habits, KubernetesLauncher
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(120)

SOON: Final = Habits(answer_s=0, doubt_s=0)
ACCOUNT: Final = ("flights-airflow", "launcher")


def start(config: dict[str, Any]) -> KubernetesLauncher:
    """Raises: as the launcher does."""
    launcher = KubernetesLauncher(Cluster.with_config(config), "flights", habits=SOON)
    resources = Resources("registry.example.org/flights/jobs:1", Share("1", "1Gi"), Share("1", "1Gi"), 1)
    key = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
    launcher.start(LaunchRequest("lost-1", key, Epoch("1f" * 8, 1, 1), 0, ("driver",), b"{}", resources=resources))
    return launcher


def signed(kubernetes: Kubernetes, token: str, key: Path, **changes: Any) -> str:
    """``token`` with other claims."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode({**claims, **changes}, key.read_text(), "RS256", headers=jwt.get_unverified_header(token))


def test_credentials_that_are_no_good_start_nothing_and_good_ones_do(kubernetes: Kubernetes) -> None:
    token, keys, now = kubernetes.token(*ACCOUNT), kubernetes.plane.home / "pki", int(time.time())
    tokens = {
        "expired": signed(kubernetes, token, keys / "tokens.key", exp=now - 60, iat=now - 3600, nbf=now - 3600),
        "for somebody else": kubernetes.token(*ACCOUNT, audiences=("sts.amazonaws.com",)),
        "cut short": token[:-8],
        "nobody's": "x",
    }

    for why, bad in tokens.items():
        with pytest.raises(SetupError, match="does not know this identity") as told:
            start(kubernetes.plane.token_config(bad, "flights-airflow"))
        assert (type(told.value), told.value.retryable) == (Stranger, False), why
        assert bad not in f"{told.value}" or bad == "x"

    assert kubernetes.admin.get(Place("v1", "Pod", "flights", "lost-1")) is None
    fresh = signed(kubernetes, token, keys / "tokens.key", exp=now + 600)
    launcher = start(kubernetes.plane.token_config(fresh, "flights-airflow"))
    assert launcher.status("lost-1").phase is Phase.PENDING
    launcher.clear("lost-1")
    kubernetes.admin.ask("DELETE", "/api/v1/namespaces/flights/pods/lost-1?gracePeriodSeconds=0")


def test_a_cluster_that_is_not_there_may_be_there_another_time(kubernetes: Kubernetes) -> None:
    config = kubernetes.plane.token_config(kubernetes.token(*ACCOUNT), "flights-airflow")
    nowhere = f"https://{HOST}:{free_ports(('api',))['api']}"
    gone = {
        **config,
        "clusters": [{"name": "local", "cluster": {**config["clusters"][0]["cluster"], "server": nowhere}}],
    }

    with pytest.raises(TeamsparkError, match="does not answer") as told:
        start(gone)

    assert (type(told.value), told.value.retryable) == (ClusterUnavailable, True)
