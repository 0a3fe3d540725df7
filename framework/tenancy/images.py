"""Names of images, as a registry has them: what one may be called, and one put together from parts. Pure, no pydantic.

Sources: OCI Distribution Specification, "Pulling manifests" (names, tags); OCI Image Specification, "Digests".
"""

import re
from typing import Final

_HOST: Final = r"[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d{1,5})?"
_PART: Final = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_HOST}(?:/{_PART})+")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def check_image(text: str) -> str:
    """By digest, or by a tag that is not ``latest``: a retry must not run another program. Raises: ValueError."""
    name, at, digest = text.partition("@")
    tail = name.rpartition("/")[2]
    repository, tag = (
        (name[: -len(tail)] + tail.partition(":")[0], tail.partition(":")[2]) if ":" in tail else (name, "")
    )
    good = _NAME.fullmatch(repository) and (not tag or _TAG.fullmatch(tag)) and (not at or _DIGEST.fullmatch(digest))
    if not good:
        raise ValueError("expected registry.host/path/name:tag or registry.host/path/name@sha256:<digest>")
    if not at and tag in ("", "latest"):
        raise ValueError("expected a tag other than latest, or a digest: what runs today must run tomorrow")
    return text


def check_folder(text: str) -> str:
    """``registry.host/path/*``. Raises: ValueError."""
    if not text.endswith("/*") or not _NAME.fullmatch(text.removesuffix("/*")):
        raise ValueError("expected registry.host/path/*: the images below one folder of one registry")
    return text


def check_repository(text: str) -> str:
    """``registry.host/path``, without a tag. Raises: ValueError."""
    if not _NAME.fullmatch(text):
        raise ValueError("expected registry.host/path, in small letters and without a tag")
    return text


def repository_of(image: str) -> str:
    """Without tag and digest."""
    folder, slash, name = image.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{name.partition(':')[0]}"


def wished(image: str | None, tag: str | None, default: str | None) -> str | None:
    """The image of a task that may name an ``image``, a ``tag``, or both, in a team whose own is ``default``. Raises: ValueError."""
    if image is None and tag is None:
        return default
    if tag is None:
        return check_image(str(image))
    name = image or (default and repository_of(default))
    if not name:
        raise ValueError("a tag without an image, and the team file has none")
    if repository_of(name) != name:
        raise ValueError(f"image {name} has a tag already")
    return check_image(f"{name}:{tag}")


def pinned(image: str, told: str) -> str | None:
    """``image`` by the digest that a node tells of it (``imageID`` of a container); None where it tells another kind of name."""
    digest = told.rpartition("@")[2]
    return f"{repository_of(image)}@{digest}" if "@" in told and _DIGEST.fullmatch(digest) else None
