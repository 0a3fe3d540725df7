"""Connections: read from a file or the environment, never shown."""

import os
import stat
from pathlib import Path

import pytest

from framework.connections import Connection, Connections, laptop_connections, others_of, parse_connections
from framework.errors import ConfigError

SECRET = "hunter2-hunter2"
FILE = f"""
connections:
  warehouse: {{kind: postgres, host: db, port: 5433, database: sales, user: me, password: {SECRET}}}
  partner: {{kind: aws, user: AKIA, password: {SECRET}, options: {{aws_session_token: tok-tok-tok}}}}
"""


def test_both_forms_are_read_and_survive_the_trip() -> None:
    given = parse_connections(FILE, where="file")

    assert parse_connections(given.json_bytes(), where="handed over") == given
    assert given.get("warehouse", kind="postgres", where="x").port == 5433


def test_nothing_shows_a_secret() -> None:
    given = parse_connections(FILE, where="file")

    for shown in (repr(given), str(given), repr(given.connections["warehouse"]), str(given.connections["partner"])):
        assert SECRET not in shown
        assert "tok-tok-tok" not in shown
    assert SECRET in given.json_bytes().decode()  # the witness: it is in there


def test_secrets_are_hidden_in_any_text() -> None:
    given = parse_connections(FILE, where="file")

    assert given.hide(f"a {SECRET} b tok-tok-tok c") == "a *** b *** c"


@pytest.mark.parametrize(
    "text",
    [
        f"connections: {{w: {{kind: postgres, password: [{SECRET}]}}}}",
        f"connections: {{w: {{kind: postgres, passwort: {SECRET}}}}}",
        f"connections: {{w: {SECRET}}}",
        f"connections: {{w: {{kind: postgres, options: {{token: {{a: {SECRET}}}}}}}}}",
        f"{SECRET}: [",
        f"connections: {{w: {{kind: postgres, port: {SECRET}}}}}",
    ],
)
def test_mistakes_are_told_without_what_the_file_holds(text: str) -> None:
    with pytest.raises(ConfigError) as stop:
        parse_connections(text, where="connections.yaml")

    assert SECRET not in str(stop.value)
    assert "connections.yaml" in str(stop.value)


def test_a_laptop_has_a_file_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    (tmp_path / ".teamspark").mkdir()
    file = tmp_path / ".teamspark/connections.yaml"
    file.write_text(FILE)
    file.chmod(0o600)
    environ = {
        "TEAMSPARK_CONN_WAREHOUSE": "postgresql://m%65:p%40ss%2F%3A@other:5432/db%20x?sslmode=require",
        "TEAMSPARK_CONN_NEW_ONE": "aws://AKIA:secret-secret@?region_name=eu-west-1",
        "OTHER": "x",
    }

    found = laptop_connections(tmp_path, environ).connections

    assert sorted(found) == ["new_one", "partner", "warehouse"]
    assert found["warehouse"] == Connection(
        kind="postgres", host="other", port=5432, database="db x", user="me", password="p@ss/:",
        options={"sslmode": "require"},
    )  # fmt: skip
    assert (found["new_one"].user, found["new_one"].options) == ("AKIA", {"region_name": "eu-west-1"})


def test_without_either_there_is_none(tmp_path: Path) -> None:
    assert laptop_connections(tmp_path, {}) == Connections()


@pytest.mark.parametrize(
    "text", [SECRET, f"postgres://me:{SECRET}@host:port/db", f"postgres://me:{SECRET}@host:70000/db"]
)
def test_a_variable_that_is_no_connection_is_told_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as stop:
        laptop_connections(tmp_path, {"TEAMSPARK_CONN_X": text})

    assert "TEAMSPARK_CONN_X" in str(stop.value)
    assert SECRET not in str(stop.value)


@pytest.mark.parametrize(
    ("owner", "mode", "user", "exposed"),
    [
        (1000, 0o600, 1000, False),
        (1000, 0o640, 1000, True),
        (1000, 0o604, 1000, True),
        (0, 0o440, 10001, False),  # as kubelet mounts a Secret for the pod's own group
        (0, 0o444, 10001, True),
        (0, 0o440, 0, True),
        (1001, 0o440, 1000, True),
    ],
)
def test_who_else_may_read_a_file_of_secrets(owner: int, mode: int, user: int, *, exposed: bool) -> None:
    told = os.stat_result((stat.S_IFREG | mode, 1, 1, 1, owner, 5, 0, 0, 0, 0))

    assert bool(told.st_mode & others_of(told, user)) is exposed
