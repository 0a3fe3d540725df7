"""Maven as it is on this machine: what is asked of it, and what becomes of its failures."""

from pathlib import Path

import pytest

from framework.errors import SetupError, StoreUnavailable, TeamsparkError
from framework.jars.catalog import Coordinate, chosen, load_catalog
from framework.jars.maven import copy_jars, find_maven, maven_failure, pom_of
from framework.jars.place import flaws
from framework.jars.sync import ensure_jars, sync

STORAGE = Coordinate.of("io.delta:delta-storage:4.4.0")


def test_without_maven_the_one_command_that_installs_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)

    with pytest.raises(SetupError) as caught:
        find_maven({"PATH": str(tmp_path)})

    assert "run: apt-get install -y maven" in str(caught.value)


def test_exactly_the_named_jars_are_asked_for(tmp_path: Path) -> None:
    text = pom_of([STORAGE, Coordinate("g", "a&b", "1", "linux")], tmp_path)

    assert text.count("<artifactItem>") == 2
    assert "<dependencies>" not in text
    assert "<artifactId>a&amp;b</artifactId><version>1</version><classifier>linux</classifier>" in text


@pytest.mark.parametrize(
    ("printed", "kind", "what"),
    [
        ("[ERROR] ... status: 403 Forbidden", SetupError, "refuses"),
        ("[ERROR] Could not find artifact a:b:jar:1 in central", SetupError, "does not have"),
        ("[ERROR] Could not transfer artifact a: x: Unknown host", StoreUnavailable, "not reached"),
        ("[ERROR] Could not transfer artifact a: Read timed out", StoreUnavailable, "did not deliver"),
        ("[ERROR] Cannot access central in offline mode", SetupError, "offline"),
        ("[ERROR] something new", SetupError, "Maven failed"),
    ],
)
def test_each_failure_has_its_class_and_a_next_step(printed: str, kind: type[TeamsparkError], what: str) -> None:
    told = maven_failure(f"[INFO] before\n{printed}\n[ERROR] -> [Help 1]")

    assert type(told) is kind
    assert what in str(told)
    assert printed.removeprefix("[ERROR] ") in str(told)
    assert told.next_step


def test_a_registry_that_is_not_there_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / ".m2" / "settings.xml"
    settings.parent.mkdir()
    mirror = "<id>m</id><mirrorOf>*</mirrorOf><url>https://127.0.0.1:9/</url>"
    settings.write_text(f"<settings><mirrors><mirror>{mirror}</mirror></mirrors></settings>")
    monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={tmp_path}")

    with pytest.raises(StoreUnavailable) as caught:
        sync(tmp_path / "jars", chosen(["delta"], load_catalog()))

    assert "settings.xml" in str(caught.value)
    assert [path for path in (tmp_path / "jars").rglob("*") if path.is_file()] == []


def test_what_is_fetched_is_what_is_pinned() -> None:
    (delta,) = chosen(["delta"], load_catalog())

    paths = ensure_jars("delta")

    assert [path.name for path in paths] == [jar.file for jar in delta.jars]
    assert list(flaws(paths[0].parents[1], delta)) == []


def test_a_jar_without_its_pom_and_parents_is_fetched_by_its_name_alone(tmp_path: Path) -> None:
    copy_jars([STORAGE], tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["delta-storage-4.4.0.jar", "pom.xml"]
