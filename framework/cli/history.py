"""Which event log of a run is meant, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from framework.cli.addresses import AttemptAddress
from framework.errors import ConfigError
from framework.identity import RunKey
from framework.storage.base import Store
from framework.storage.events import EventLog, log_name, log_of_attempt, logs_of
from framework.storage.publish import AttemptState, RunLog


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log, and the attempts that its launch claimed."""

    log: EventLog
    attempts: tuple[int, ...]

    @property
    def kept(self) -> datetime:
        """By the store's clock."""
        return datetime.fromtimestamp(self.log.entry.modified, UTC).replace(microsecond=0)

    def to_json(self) -> dict[str, Any]:
        return {
            "log": self.log.name,
            "path": self.log.path,
            "kept": self.kept.isoformat(),
            "bytes": self.log.entry.bytes,
            "attempts": list(self.attempts),
        }


def lines_of(store: Store, key: RunKey) -> tuple[LogLine, ...]:
    """Every log of a run, oldest first. Raises: ConfigError when there is none; StoreUnavailable, SetupError."""
    logs, attempts = logs_of(store, key), RunLog(store, key).state().attempts
    if not logs:
        raise _none(str(key), attempts)
    claimed = _claimed(attempts)
    return tuple(LogLine(one, claimed.get(one.name, ())) for one in logs)


def chosen(store: Store, address: AttemptAddress, name: str | None) -> LogLine:
    """The log called ``name``, else that of the attempt which is named, else the newest.

    Raises: ConfigError, saying what there is; StoreUnavailable, SetupError.
    """
    if name is None and address.attempt is not None:
        found = log_of_attempt(store, address.key, address.attempt)
        if found is None:
            raise _none(str(address), RunLog(store, address.key).state().attempts)
        return LogLine(found, (address.attempt,))
    lines = lines_of(store, address.key)
    if name is None:
        return lines[-1]
    for line in lines:
        if line.log.name == name:
            return line
    raise ConfigError(
        "no such event log",
        where=str(address.key),
        got=name,
        expected=f"one of {', '.join(line.log.name for line in lines)}",
    )


def read_log(store: Store, line: LogLine) -> bytes:
    """Raises: ConfigError when it is gone by now; StoreUnavailable, SetupError."""
    data = store.read(line.log.path)
    if data is None:
        raise ConfigError("an event log is gone", where=line.log.path, got="nothing: teamspark gc may have removed it")
    return data


def _claimed(attempts: tuple[AttemptState, ...]) -> Mapping[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for one in attempts:
        name = log_name(one.claim.epoch)
        found[name] = (*found.get(name, ()), one.number)
    return found


def _none(where: str, attempts: tuple[AttemptState, ...]) -> ConfigError:
    numbers = ", ".join(str(one.number) for one in attempts)
    return ConfigError(
        "no event log is kept",
        where=where,
        got=f"attempts of the run: {numbers or 'none'}",
        details=[
            "a driver that was killed leaves none, nor does a run whose store did not answer",
            "spark.eventLog.enabled=false in the team's Spark connection switches them off, teamspark gc removes old ones",
        ],
        next_step="see the runs there are: teamspark outputs ls TEAM/DAG/TASK",
    )
