"""One team's broken file does not stop the runs of the others: the set that was whole last is used, and it is said."""

from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.tenancy.kept import KEPT, load_last_whole

TEAM = "team: {name}\nowners: [a@b.c]\nstore: {{kind: directory, root: {root}}}\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    for name in ("bakers", "cooks"):
        write(tmp_path, name)
    return tmp_path


def write(workspace: Path, name: str, root: str = "x") -> None:
    (workspace / f"k8s/teams/{name}.yaml").write_text(TEAM.format(name=name, root=root))


def loaded(workspace: Path, told: list[str]) -> dict[str, str]:
    teams = load_last_whole(workspace, None, told.append)
    assert teams.file("cooks") == "k8s/teams/cooks.yaml" if not told else True
    return {name: getattr(team.store, "root", "") for name, team in teams.by_name.items()}


def test_a_broken_file_stops_nobody(workspace: Path) -> None:
    told: list[str] = []
    whole = loaded(workspace, told)
    assert told == []
    write(workspace, "cooks", "y")
    (workspace / "k8s/teams/bakers.yaml").write_text("team: bakers\nowner: [\n")

    assert loaded(workspace, told) == whole  # not half of the new: the change of cooks waits, too
    assert len(told) == 1
    assert "those that were whole last are used" in told[0]
    assert "bakers.yaml:3: not YAML" in told[0]


def test_mended_it_is_the_new_set(workspace: Path) -> None:
    told: list[str] = []
    loaded(workspace, told)
    write(workspace, "cooks", "y")
    assert loaded(workspace, told)["cooks"] == "y"
    (workspace / "k8s/teams/bakers.yaml").unlink()

    assert loaded(workspace, told) == {"cooks": "y"}
    assert told == []


def test_never_whole_it_is_an_error(workspace: Path) -> None:
    (workspace / "k8s/teams/bakers.yaml").write_text("[")

    with pytest.raises(ConfigError, match="mistake"):
        load_last_whole(workspace, None, lambda _: None)


def test_where_nothing_can_be_kept_nothing_is(workspace: Path) -> None:
    (workspace / ".teamspark").write_text("a file in the way")

    assert loaded(workspace, []) == {"bakers": "x", "cooks": "x"}
    (workspace / "k8s/teams/bakers.yaml").write_text("[")
    with pytest.raises(ConfigError):
        load_last_whole(workspace, None, lambda _: None)


def test_another_folder_of_team_files_is_not_taken_for_this_one(workspace: Path) -> None:
    other = workspace / "others"
    other.mkdir()
    (other / "bakers.yaml").write_text(TEAM.format(name="bakers", root="elsewhere"))
    load_last_whole(workspace, other, lambda _: None)
    (workspace / "k8s/teams/bakers.yaml").write_text("[")

    with pytest.raises(ConfigError):
        load_last_whole(workspace, None, lambda _: None)
    (other / "bakers.yaml").write_text("[")
    (kept,) = load_last_whole(workspace, other, lambda _: None).by_name.values()
    assert getattr(kept.store, "root", "") == "elsewhere"


def test_a_copy_that_was_cut_off_is_not_taken(workspace: Path) -> None:
    """Only what the pointer names counts."""
    loaded(workspace, [])
    (pointer,) = (workspace / KEPT).glob("*/whole")
    pointer.unlink()
    (workspace / "k8s/teams/bakers.yaml").write_text("[")

    with pytest.raises(ConfigError):
        load_last_whole(workspace, None, lambda _: None)
