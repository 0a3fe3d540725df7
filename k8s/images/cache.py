"""The image of teams' caches: Alluxio's own jars over the Spark image, which has Java, Python and our package."""

from typing import Final

from k8s.images.kept import ensure_part, images_home, locked
from k8s.images.parts import Builder
from k8s.images.spark import SETTINGS, Image, Place, written

JAR_SETS: Final = ("alluxio-server",)


def build_cache(builder: Builder, base: Image, *, thin: bool = False) -> Image:
    """``PREFIX/alluxio:TAG``, where images are kept; what is there already is not made again. Raises: SetupError."""
    home = images_home(builder.environ)
    with locked(home):
        jars = ensure_part(home, builder.jars("jars-alluxio", JAR_SETS), builder.notice)
        return written(Place(home, f"{builder.prefix}/alluxio", thin), [jars], SETTINGS, base)
