"""What the kernel's table of mounts says of a network file system, and what of it would break the protocol."""

from pathlib import Path

import pytest

from framework.storage.mounts import DEMANDED, Mount, mount_of, parse_mounts, read_mounts, wrong_options

# As AWS's own mount helper mounts one, but for what DEMANDED adds.
EFS = (
    "612 29 0:52 / /mnt/lake\\040one rw,relatime shared:300 - nfs4 fs-1.efs.eu-west-1.amazonaws.com:/ "
    "rw,vers=4.1,rsize=1048576,wsize=1048576,namlen=255,acdirmin=0,acdirmax=1,hard,noresvport,proto=tcp,timeo=600,"
    "retrans=2,sec=sys,clientaddr=10.0.0.1,lookupcache=pos,local_lock=none,addr=10.0.0.2"
)
TABLE = f"""\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
29 22 0:40 / /mnt rw - tmpfs tmpfs rw
{EFS}
613 29 8:2 / /mnt/lake ro - ext4 /dev/sdb1 rw
not a line of the table
"""


def options(**changes: str | None) -> Mount:
    """The right mount, with some options another way; None: without it."""
    (mount,) = parse_mounts(EFS)
    changed = {**mount.options, **{name: value for name, value in changes.items() if value is not None}}
    return Mount(
        mount.point, mount.kind, mount.source, {n: v for n, v in changed.items() if changes.get(n, "") is not None}
    )


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/mnt/lake one/team", "/mnt/lake one"),
        ("/mnt/lake one", "/mnt/lake one"),
        ("/mnt/lake/team", "/mnt/lake"),
        ("/mnt/lake two", "/mnt"),
        ("/srv", "/"),
    ],
)
def test_a_folder_is_on_the_nearest_mount_above_it(path: str, point: str) -> None:
    found = mount_of(Path(path), parse_mounts(TABLE))

    assert found is not None
    assert found.point == point


def test_of_two_mounts_at_one_place_the_later_one_counts() -> None:
    twice = TABLE + TABLE.splitlines()[3].replace("ext4", "nfs4") + "\n"

    found = mount_of(Path("/mnt/lake/x"), parse_mounts(twice))

    assert found is not None
    assert found.kind == "nfs4"


def test_the_right_mount_is_right() -> None:
    (mount,) = parse_mounts(EFS)

    assert wrong_options(mount) == ()
    assert mount.source == "fs-1.efs.eu-west-1.amazonaws.com:/"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vers": "3"}, ["vers=3: 4.1"]),
        ({"vers": None}, ["vers=unknown: 4.1"]),
        ({"vers": "4.2"}, []),
        ({"soft": "", "hard": None}, ["soft: hard"]),
        ({"lookupcache": None}, ["lookupcache=all: positive"]),
        ({"lookupcache": "none"}, []),
        ({"acdirmin": None, "acdirmax": None}, ["acdirmin=30: 0", "acdirmax=60: 1"]),
        ({"acdirmax": "0"}, []),
        ({"acdirmax": "x"}, ["acdirmax=x: 1"]),
        ({"noac": "", "acdirmin": None, "acdirmax": None, "lookupcache": None}, []),
        ({"ro": "", "rw": None}, ["ro: rw"]),
    ],
)
def test_what_would_break_the_protocol_is_told(changes: dict[str, str | None], told: list[str]) -> None:
    found = wrong_options(options(**changes))

    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


def test_a_disk_of_this_machine_needs_no_options() -> None:
    assert all(wrong_options(mount) == () for mount in parse_mounts(TABLE) if mount.kind != "nfs4")


def test_what_is_demanded_is_what_is_looked_at() -> None:
    asked = dict(part.partition("=")[::2] for part in DEMANDED.split(","))
    asked["vers"] = asked.pop("nfsvers")

    assert wrong_options(Mount("/x", "nfs4", "s:/", asked)) == ()


def test_the_table_of_this_machine_is_read_and_its_absence_is_no_error(tmp_path: Path) -> None:
    assert mount_of(Path("/proc/self"), read_mounts()) is not None
    assert read_mounts(tmp_path / "none") == ()
