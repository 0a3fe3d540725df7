"""An image that was built, put into a registry: once, under a tag that is a digest of its content."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from framework.errors import ConfigError
from k8s.images.registry import LayersMissing, Registry
from k8s.images.spark import Image

Make = Callable[[], Image]


@dataclass(frozen=True, slots=True)
class Pushed:
    """``name`` with its tag; ``digest`` by the registry's own word. ``sent``: it was not there before."""

    name: str
    digest: str
    sent: bool

    @property
    def pinned(self) -> str:
        """The name that stays this image, whatever becomes of the tag."""
        return f"{self.name.rpartition(':')[0]}@{self.digest}"


def push(registry: Registry, repository: str, makes: Sequence[Make]) -> Pushed:
    """The image in ``repository``. ``makes``: archives of it, from the thinnest to the whole; the first that does is sent.

    Raises: as ``Registry.copy``; ConfigError when the tag has other content there.
    """
    image = makes[0]()
    tag = image.name.rpartition(":")[2]
    name = f"{repository}:{tag}"
    there = registry.digest(name)
    if there is None:
        _send(registry, name, tag, makes)
    found = there or registry.digest(name)
    if found != image.digest:
        raise ConfigError(
            "the registry has other content under this tag",
            where=name, got=found or "nothing", expected=image.digest,
            next_step="find out who put it there and remove it, or push to another place: --to",
        )  # fmt: skip
    return Pushed(name, found, sent=there is None)


def _send(registry: Registry, name: str, tag: str, makes: Sequence[Make]) -> None:
    for make in makes[:-1]:
        with suppress(LayersMissing):
            registry.copy(make().archive, tag, name)
            return
    registry.copy(makes[-1]().archive, tag, name)
