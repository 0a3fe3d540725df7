"""Delivering every output of a published attempt to every destination, and asking all of them beforehand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from framework.config import DestinationEntry, ExportedConfig
from framework.connections import NONE, Connections
from framework.destinations.base import Delivery, Destination, Outside
from framework.destinations.kinds import open_destination
from framework.errors import ConfigError, DeliveryFailed, TeamsparkError, together
from framework.job import JobContract
from framework.schema.spec import SchemaSpec
from framework.storage.attempts import Published, published_files
from framework.storage.base import Store
from framework.storage.publish import RunLog
from framework.tenancy.model import Teams


@dataclass(frozen=True)
class Courier:
    """Who delivers the outputs of one run. ``store``: where they are published."""

    config: ExportedConfig
    teams: Teams
    store: Store
    connections: Connections = field(default=NONE, repr=False)

    def rehearse(self, contract: JobContract) -> None:
        """Ask every destination whether it will take its output: a mistake is told before anything is computed.

        Raises: the final errors of all of them, as one. What time may mend is no reason not to compute.
        """
        wrong: list[TeamsparkError] = []
        schemas = {port.name: port.schema for port in contract.outputs}
        for output, entry in self._entries():
            try:
                self._open(entry).rehearse(_schema_of(output, schemas))
            except Exception as error:  # noqa: BLE001  a kind may be anybody's code
                wrong.append(self._named(error, output, entry))
        final = [error for error in wrong if not error.retryable]
        if final:
            raise together(final)

    def deliver(self, published: Published) -> tuple[str, ...]:
        """Deliver what is not there yet; a line for each destination.

        Each is tried, whatever became of the others. Raises: the errors of all of them, as one.
        """
        told: list[str] = []
        wrong: list[TeamsparkError] = []
        for output, entry in self._entries():
            try:
                told.append(f"{output} to {self._one(published, output, entry)}")
            except Exception as error:  # noqa: BLE001  a kind may be anybody's code
                wrong.append(self._named(error, output, entry))
        if wrong:
            raise together(wrong)
        return tuple(told)

    def _one(self, published: Published, output: str, entry: DestinationEntry) -> str:
        destination = self._open(entry)
        newer = self._newer(published)
        if newer is not None:
            return f"{destination.place}: not delivered, attempt {newer} is newer"
        files = published_files(self.store, published, output)
        verdict = destination.deliver(Delivery(published, output, files))
        if verdict == "overtaken":
            self._require_overtaken(published, destination)
        return f"{destination.place}: {verdict}"

    def _require_overtaken(self, published: Published, destination: Destination) -> None:
        """Raises: ConfigError when the destination knows of a newer attempt, and the store does not."""
        if self._newer(published) is None:
            from framework.destinations.files import begun_anew

            raise begun_anew(destination.place, published.number)

    def _newer(self, published: Published) -> int | None:
        newest = RunLog(self.store, published.key).newest()
        return newest.number if newest is not None and newest.number > published.number else None

    def _open(self, entry: DestinationEntry) -> Destination:
        return open_destination(entry, Outside(self.teams, self.config.key.team, self.connections))

    def _entries(self) -> Iterator[tuple[str, DestinationEntry]]:
        return ((output, entry) for output, many in self.config.destinations.items() for entry in many)

    def _named(self, raised: Exception, output: str, entry: DestinationEntry) -> TeamsparkError:
        """The error with the destination it is about, and without a secret, whoever wrote it."""
        hide = self.connections.hide
        error = raised if isinstance(raised, TeamsparkError) else _foreign(raised, entry.type)
        error.what = hide(error.what)
        error.args = (error.what,)
        error.where = hide(f"output '{output}' to {entry.type}: {error.where or self.config.key}")
        error.got, error.expected = (None if one is None else hide(str(one)) for one in (error.got, error.expected))
        error.details = tuple(map(hide, error.details))
        return error


def _schema_of(output: str, schemas: Mapping[str, SchemaSpec]) -> SchemaSpec:
    if output not in schemas:
        raise ConfigError("the job has no such output", got=output, expected=", ".join(schemas))
    return schemas[output]


def _foreign(error: Exception, kind: str) -> DeliveryFailed:
    return DeliveryFailed(
        f"the destination's own code failed ({type(error).__name__})",
        got=str(error),
        next_step=f"ask who wrote the kind '{kind}'; the next try delivers again, and computes nothing",
    )
