"""What a run tells: the record that goes up to the launcher, and the lines that a person reads. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from framework.config import ErrorFacts, ExportedConfig, OutputFacts, RunResult, Verdict
from framework.errors import NotYet, Superseded, TeamsparkError, clip
from framework.manifest import InputEntry
from framework.storage.paths import run_path
from framework.storage.publish import Published


@dataclass(frozen=True)
class Account:
    """What happened on the way, beside the manifest. ``seconds`` by phase; bytes as in ``RunResult``."""

    verdict: Verdict
    seconds: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    bytes_hot: int = 0
    bytes_cold: int = 0


def result_of(published: Published, account: Account) -> RunResult:
    """The result of a run whose attempt is published."""
    manifest = published.manifest
    outputs = {o.name: OutputFacts(rows=o.rows, bytes=o.bytes, files=len(o.files)) for o in manifest.outputs}
    return RunResult(
        verdict=account.verdict,
        key=published.key,
        attempt=published.number,
        path=run_path(published.key),
        digest=published.digest,
        outputs=outputs,
        rows_read=sum(map(_rows_of, manifest.inputs)),
        seconds={name: round(s, 3) for name, s in account.seconds.items()},
        warnings=account.warnings,
        delivered=account.delivered,
        bytes_hot=account.bytes_hot,
        bytes_cold=account.bytes_cold,
    )


def _rows_of(entry: InputEntry) -> int:
    read = [one.rows for one in entry.reads] + [one.rows for one in entry.tables]
    return (entry.rows or 0) + sum(read)


def failed(config: ExportedConfig, error: TeamsparkError) -> RunResult:
    """The result of a run that published nothing."""
    verdict: Verdict = "not_yet" if isinstance(error, NotYet) else "failed"
    if isinstance(error, Superseded):
        verdict = "superseded"
    return RunResult(verdict=verdict, key=config.key, path=run_path(config.key), error=ErrorFacts(**error.to_dict()))


def lines(result: RunResult) -> Iterator[str]:
    """The report for a person, a fact a line."""
    number = "" if result.attempt is None else f" attempt {result.attempt}"
    yield f"{result.verdict}: {clip(str(result.key))}{number}"
    if result.error is not None:
        yield result.error.message
        return
    yield f"  path     {result.path}"
    yield f"  read     {result.rows_read:,} rows"
    if result.bytes_hot:
        yield f"  hot      {result.bytes_hot:,} bytes in the cache, {result.bytes_cold:,} only in the store"
    elif result.bytes_cold:
        yield f"  cold     {result.bytes_cold:,} bytes from the store, none from a cache"
    for name, output in result.outputs.items():
        yield f"  {name:<8} {output.rows:,} rows, {output.bytes:,} bytes in {output.files} file(s)"
    yield f"  seconds  {', '.join(f'{name} {s:.2f}' for name, s in result.seconds.items())}"
    yield from (f"  sent     {text}" for text in result.delivered)
    yield from (f"  warning  {text}" for text in result.warnings)
