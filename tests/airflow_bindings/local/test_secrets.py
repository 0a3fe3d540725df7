"""Secrets of a stack: random, private, and the same at the next start."""

import json
from pathlib import Path

from cryptography.fernet import Fernet

from airflow_bindings.local.secrets import load_or_make, make


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    load_or_make(tmp_path, ["admin", "flights"])

    assert {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()} == {
        "secrets.json": "0o600",
        "passwords.json": "0o600",
    }


def test_the_next_start_has_the_same_and_a_password_for_a_new_team(tmp_path: Path) -> None:
    first = load_or_make(tmp_path, ["admin", "flights"])

    second = load_or_make(tmp_path, ["admin", "flights", "insights"])

    assert (second.jwt, second.api, second.fernet) == (first.jwt, first.api, first.fernet)
    assert {**first.passwords, "insights": second.passwords["insights"]} == second.passwords
    assert json.loads((tmp_path / "passwords.json").read_text()) == second.passwords


def test_no_two_stacks_share_any() -> None:
    one, other = make(["admin"]), make(["admin"])

    assert one.jwt != other.jwt
    assert one.fernet != other.fernet
    assert one.passwords != other.passwords


def test_the_key_is_one_that_encrypts() -> None:
    key = Fernet(make([]).fernet)

    assert key.decrypt(key.encrypt(b"x")) == b"x"
