"""Pushing, into a real registry: what arrives, what is sent, and what is told of one that refuses."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from framework.errors import ConfigError, PolicyError, SetupError, TeamsparkError
from framework.servers.ports import free_port
from k8s.images.blobs import tree_digest
from k8s.images.kept import Kept
from k8s.images.oci import Layer, Settings
from k8s.images.push import Pushed, push
from k8s.images.registry import LayersMissing, Registry
from k8s.images.running import run
from k8s.images.spark import Image, Place, written
from tests.servers.registry import PASSWORD, RealRegistry, bare, login_file, refusing, serving_images

pytestmark = pytest.mark.skipif(shutil.which("skopeo") is None, reason="no skopeo: apt-get install skopeo")
SETTINGS = Settings(labels={"teamspark.team": "flights"})


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealRegistry]:
    with serving_images(tmp_path_factory.mktemp("registry")) as up:
        yield up


@pytest.fixture
def place(real: RealRegistry, tmp_path: Path) -> str:
    """A repository of the test's own."""
    return f"{real.host}/flights/{tmp_path.name.lower().replace('_', '-')}"


def kept(folder: Path, target: str, content: str) -> Kept:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(content)
    return Kept(Layer(folder, target), tree_digest(folder, target))


class Built:
    """An image of a few bytes over another, made as a team's is over Spark's."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.content = folder, name
        below = kept(folder / "below", "/opt/spark", f"spark of {name}")
        self.base = written(Place(folder, "local/teamspark/spark"), [below], Settings())
        self.made: list[str] = []

    def _made(self, *, thin: bool) -> Image:
        self.made.append("thin" if thin else "whole")
        jobs = kept(self.folder / self.content, "/usr/jobs", self.content)
        return written(Place(self.folder, "local/teamspark/flights/jobs", thin), [jobs], SETTINGS, self.base)

    def thin(self) -> Image:
        return self._made(thin=True)

    def whole(self) -> Image:
        return self._made(thin=False)


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path / "images", f"jobs of {tmp_path.name}")


def registry(real: RealRegistry, tmp_path: Path, **client: object) -> Registry:
    return Registry(real.environ(**client), tmp_path)  # type: ignore[arg-type]


def pulled(real: RealRegistry, name: str, folder: Path) -> str:
    """The digest of the image as another client finds it, all its bytes fetched."""
    words = ("copy", "--quiet", "--preserve-digests", f"docker://{name}", f"oci:{folder}:back")
    run(["skopeo", "--insecure-policy", *words], real.environ(), what="not pulled")
    return str(json.loads((folder / "index.json").read_text())["manifests"][0]["digest"])


def test_what_was_built_is_what_is_pulled(real: RealRegistry, place: str, built: Built, tmp_path: Path) -> None:
    done = push(registry(real, tmp_path), place, [built.thin, built.whole])

    image = built.whole()
    assert done == Pushed(f"{place}:{image.name.rpartition(':')[2]}", image.digest, sent=True)
    assert done.pinned == f"{place}@{image.digest}"
    assert pulled(real, done.name, tmp_path / "back") == image.digest
    assert len(list((tmp_path / "back" / "blobs" / "sha256").iterdir())) == 4  # a manifest, a configuration, two layers


def test_a_second_push_sends_nothing(real: RealRegistry, place: str, built: Built, tmp_path: Path) -> None:
    first = push(registry(real, tmp_path), place, [built.thin, built.whole])
    stored = real.stored()
    built.made.clear()

    second = push(registry(real, tmp_path), place, [built.thin, built.whole])

    assert second == replace(first, sent=False)
    assert built.made == ["thin"]
    assert real.stored() == stored > 0


def test_after_a_change_of_jobs_their_layer_alone_is_sent(
    real: RealRegistry, place: str, built: Built, tmp_path: Path
) -> None:
    first = push(registry(real, tmp_path), place, [built.thin, built.whole])
    stored = real.stored()
    built.content = f"changed {built.content}"
    built.made.clear()

    second = push(registry(real, tmp_path), place, [built.thin, built.whole])

    assert second.sent
    assert second.digest != first.digest
    assert "whole" not in built.made
    assert real.stored() == stored + 2  # the layer, and the configuration
    assert pulled(real, second.name, tmp_path / "back") == second.digest


def test_layers_that_are_not_there_come_from_the_whole_archive(
    real: RealRegistry, place: str, built: Built, tmp_path: Path
) -> None:
    with pytest.raises(LayersMissing):
        push(registry(real, tmp_path), place, [built.thin])

    assert push(registry(real, tmp_path), place, [built.thin, built.whole]).sent
    assert built.made[-1] == "whole"


def test_a_tag_with_other_content_stays_what_it_is(
    real: RealRegistry, place: str, built: Built, tmp_path: Path
) -> None:
    image, client = built.whole(), registry(real, tmp_path)
    tag = image.name.rpartition(":")[2]
    client.copy(built.base.archive, built.base.name.rpartition(":")[2], f"{place}:{tag}")

    with pytest.raises(ConfigError, match="other content under this tag") as told:
        push(client, place, [built.thin, built.whole])

    assert image.digest in str(told.value)
    assert client.digest(f"{place}:{tag}") == built.base.digest


@pytest.mark.parametrize(
    ("client", "kind", "words"),
    [
        ({"password": "wrong-as-can-be"}, ConfigError, "or not with this one"),
        ({"password": None}, ConfigError, "skopeo login 127.0.0.1:"),
        ({"trusted": False}, SetupError, "no certificate that this machine trusts"),
    ],
    ids=["another password", "no login", "an authority that nobody knows"],
)
def test_a_registry_that_refuses_is_told(
    real: RealRegistry, place: str, built: Built, tmp_path: Path,
    client: dict[str, object], kind: type[TeamsparkError], words: str,
) -> None:  # fmt: skip
    stored = real.stored()

    with pytest.raises(kind, match=words) as told:
        push(registry(real, tmp_path, **client), place, [built.whole])

    assert "wrong-as-can-be" not in str(told.value)
    assert real.stored() == stored


def test_the_login_of_docker_does(real: RealRegistry, place: str, built: Built, tmp_path: Path) -> None:
    environ = {**bare(tmp_path / "home"), "SSL_CERT_FILE": str(real.home / "ca.crt")}
    login_file(tmp_path / "home" / ".docker" / "config.json", real.host, PASSWORD)

    assert push(Registry(environ, tmp_path), place, [built.whole]).sent


def test_who_may_not_push_is_told(built: Built, tmp_path: Path) -> None:
    environ = {**bare(tmp_path), "SSL_CERT_FILE": str(tmp_path / "ca.crt")}

    with refusing(tmp_path) as host, pytest.raises(PolicyError, match=f"ask who runs {host}"):
        push(Registry(environ, tmp_path), f"{host}/flights/jobs", [built.whole])


@pytest.mark.parametrize("host", [lambda: f"127.0.0.1:{free_port()}", lambda: "no-registry.invalid"])
def test_no_registry_is_told(built: Built, tmp_path: Path, host: Callable[[], str]) -> None:
    with pytest.raises(SetupError, match="no registry answers there"):
        push(Registry(bare(tmp_path), tmp_path), f"{host()}/flights/jobs", [built.whole])


def test_without_skopeo_it_is_told(built: Built, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="apt-get install skopeo"):
        push(Registry({"PATH": str(tmp_path)}, tmp_path), "127.0.0.1:1/flights/jobs", [built.whole])
