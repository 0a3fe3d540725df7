"""What the network tells of pods' addresses before the API server does."""

import json
from pathlib import Path
from typing import Any

from k8s.local.network.early import addresses_in, stamp, with_addresses


def told(uid: str, address: str, interface: str = "eth0") -> dict[str, Any]:
    """As libcni writes it."""
    return {
        "kind": "cniCacheV1", "containerId": "00", "ifName": interface, "networkName": "pods",
        "cniArgs": [["K8S_POD_NAMESPACE", "flights"], ["K8S_POD_NAME", "one"], ["K8S_POD_UID", uid], ["IgnoreUnknown", "1"]],
        "result": {"cniVersion": "0.4.0", "ips": [{"address": f"{address}/24", "gateway": "10.214.0.1", "version": "4"}]},
    }  # fmt: skip


def pod(uid: str, **status: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "flights", "name": uid, "uid": uid}, "status": status}


def test_each_pod_has_the_address_that_its_network_gave_it(tmp_path: Path) -> None:
    (tmp_path / "pods-1-eth0").write_text(json.dumps(told("one", "10.214.0.7")))
    (tmp_path / "pods-2-eth0").write_text(json.dumps(told("two", "10.214.0.8")))
    (tmp_path / "lo-2-lo").write_text(json.dumps(told("two", "127.0.0.1", "lo")))
    (tmp_path / "pods-3-eth0").write_text(json.dumps({"ifName": "eth0", "result": None}))

    assert addresses_in(tmp_path) == ({"one": "10.214.0.7", "two": "10.214.0.8"}, True)


def test_a_file_that_is_being_written_is_looked_at_again(tmp_path: Path) -> None:
    text = json.dumps(told("one", "10.214.0.7"))
    (tmp_path / "pods-1-eth0").write_text(text[:40])

    assert addresses_in(tmp_path) == ({}, False)


def test_the_stamp_changes_with_what_is_there(tmp_path: Path) -> None:
    assert stamp(tmp_path / "nowhere") == 0
    before = stamp(tmp_path)
    (tmp_path / "one").touch()
    assert stamp(tmp_path) != before


def test_what_the_api_server_says_goes_before(tmp_path: Path) -> None:
    pods = (pod("one"), pod("two", podIP="10.214.0.9"), pod("three"))

    found = with_addresses(pods, {"one": "10.214.0.7", "two": "10.214.0.8"})

    assert [one["status"].get("podIP") for one in found] == ["10.214.0.7", "10.214.0.9", None]
    assert pods[0]["status"] == {}
