"""What a team may have of a cluster, as its file says, and whether the parts of that fit each other."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, NonNegativeInt, StringConstraints, model_validator

from framework.records import Record
from framework.tenancy.images import check_folder, check_image
from framework.tenancy.places import AlluxioPlace
from framework.tenancy.quantities import Cpu, Memory, cpu_text, memory_text, millis, octets

_CACHE_CPU: Final = "1"
# Heaps of 256, 256 and 128 MiB, 512 MiB that a worker reads and sends by, and what three JVMs are besides.
_CACHE_BESIDE: Final = 1_408 * 2**20


Image = Annotated[str, AfterValidator(check_image)]


class PodSize(Record):
    """One pod, Spark's overhead included."""

    cpu: Cpu
    memory: Memory

    def exceeds(self, most: "PodSize") -> bool:
        return millis(self.cpu) > millis(most.cpu) or octets(self.memory) > octets(most.memory)


def cache_size(place: AlluxioPlace) -> PodSize:
    """The pod of a team's cache: what it holds, and its three JVMs."""
    return PodSize(cpu=_CACHE_CPU, memory=memory_text(place.memory_bytes + _CACHE_BESIDE))


class Size(Record):
    """How much a run gets under one name: ``resources="M"``. What is left out is the team's limit."""

    executors: NonNegativeInt
    driver: PodSize | None = None
    executor: PodSize | None = None


class Limits(Record):
    """The most that one run may ask for."""

    driver: PodSize
    executor: PodSize
    max_executors: Annotated[int, Field(ge=1, le=10_000)]


class Quota(Record):
    """The most that all runs of a team have at once."""

    cpu: Cpu
    memory: Memory
    pods: Annotated[int, Field(ge=2, le=100_000)]


SizeName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]{0,7}$")]


class ClusterFacts(Record):
    """The keys of a team file that speak of a cluster: all of the first three, or none of them all."""

    quota: Quota | None = None
    limits: Limits | None = None
    images: tuple[Annotated[str, AfterValidator(check_folder)], ...] = ()
    image: Image | None = None
    sizes: Mapping[SizeName, Size] = Field(default_factory=dict)

    @property
    def is_tenant(self) -> bool:
        """Whether the team has a part of a cluster."""
        return self.quota is not None

    def beside(self) -> "tuple[PodSize, ...]":
        """What of the quota is not for runs."""
        return ()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if wrong := [*self._missing(), *self._too_much()]:
            raise ValueError("; ".join(wrong))
        return self

    def _missing(self) -> Iterator[str]:
        given = {"quota": self.quota, "limits": self.limits, "images": self.images or None}
        absent = [name for name, value in given.items() if value is None]
        if len(absent) == len(given):
            if self.image or self.sizes:
                yield "image and sizes are for a team that has quota, limits and images"
        elif absent:
            yield f"{', '.join(absent)}: missing; quota, limits and images belong together"
        if self.image and self.images and not self.may_run(self.image):
            yield f"image {self.image} is below none of images"

    def may_run(self, image: str) -> bool:
        """Whether ``image`` is below one of ``images``."""
        return any(image.startswith(pattern.removesuffix("*")) for pattern in self.images)

    def _too_much(self) -> Iterator[str]:
        if self.quota is None or self.limits is None:
            return
        yield from self._over_quota("limits", 1, self.limits.driver, self.limits.executor)
        for name, size in self.sizes.items():
            driver, executor = size.driver or self.limits.driver, size.executor or self.limits.executor
            if size.executors > self.limits.max_executors:
                yield f"sizes.{name}: {size.executors} executors, of at most {self.limits.max_executors}"
            for part, asked, most in (
                ("driver", driver, self.limits.driver),
                ("executor", executor, self.limits.executor),
            ):
                if asked.exceeds(most):
                    yield f"sizes.{name}.{part}: more than limits.{part}"
            yield from self._over_quota(f"sizes.{name}", size.executors, driver, executor)

    def _over_quota(self, what: str, executors: int, driver: PodSize, executor: PodSize) -> Iterator[str]:
        """A run that never fits would wait for ever."""
        assert self.quota is not None
        beside = self.beside()
        cpu = millis(driver.cpu) + executors * millis(executor.cpu) + sum(millis(one.cpu) for one in beside)
        memory = octets(driver.memory) + executors * octets(executor.memory) + sum(octets(one.memory) for one in beside)
        pods = 1 + executors + len(beside)
        if cpu > millis(self.quota.cpu) or memory > octets(self.quota.memory) or pods > self.quota.pods:
            needed = f"cpu {cpu_text(cpu)}, memory {memory_text(memory)}, {pods} pods{', the cache included' if beside else ''}"
            quota = f"cpu {self.quota.cpu}, memory {self.quota.memory}, {self.quota.pods} pods"
            yield f"{what}: a driver and {executors} executor(s) of that size are more than quota: {needed}; of {quota}"
