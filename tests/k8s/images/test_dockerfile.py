import json
import re
import shlex
from pathlib import Path

from k8s.images.debian import DEBIAN, DEBIAN_PACKAGES
from k8s.images.jre import JAVA_MODULES
from k8s.images.parts import JAR_SETS
from k8s.images.spark import SETTINGS

TEXT = (Path(__file__).resolve().parents[3] / "k8s" / "images" / "Dockerfile").read_text()
LINES = TEXT.replace("\\\n", " ").splitlines()


def last(word: str) -> str:
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{word} ")][-1]


def test_it_runs_as_our_image_does() -> None:
    env = dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))

    assert env == dict(SETTINGS.env)
    assert last("USER") == SETTINGS.user
    assert last("WORKDIR") == SETTINGS.workdir
    assert tuple(json.loads(last("ENTRYPOINT"))) == SETTINGS.entrypoint


def test_it_holds_what_our_image_holds() -> None:
    modules = re.search(r"--add-modules\s+(\S+)", TEXT.replace("\\\n", " "))
    sets = re.search(r"jars sync ([\w\s-]+?) &&", TEXT)

    assert all(line.split()[1] == f"debian:{DEBIAN}-slim" for line in LINES if line.startswith("FROM "))
    assert modules is not None
    assert tuple(modules.group(1).split(",")) == JAVA_MODULES
    assert sets is not None
    assert tuple(sets.group(1).split()) == JAR_SETS
    assert f"{' '.join(DEBIAN_PACKAGES)} &&" in TEXT
    assert "locks/jobs.txt" in TEXT
