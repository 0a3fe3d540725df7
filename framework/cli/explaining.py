"""A plan and its Spark settings as plain facts, for people and for scripts."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from framework.cli.asking import Prepared
from framework.cli.running import session_settings
from framework.cli.scope import Scope
from framework.errors import SetupError
from framework.java import find_java
from framework.plan import FixtureInput, Plan, PlannedInput, QueryInput, RunInput, SourceInput, TableInput
from framework.runner.events import PREFIX
from framework.runner.stores import endpoints
from framework.schema.spec import SchemaSpec
from framework.spark.archive import archive_options, find_archive, fingerprint
from framework.spark.session import spark_home
from framework.spark.settings import SessionSettings, Setting, effective_settings, submit_conf
from framework.spark.stores import StoreAccess, store_settings
from framework.spark.tuning import tuned
from framework.storage.base import Store
from framework.storage.paths import explain_path
from framework.storage.publish import RunLog


def explain_inputs(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """By port, what it would be fed with: every published output, file or fixture; nothing for an absent one."""
    return {planned.port.name: _reads(planned) for planned in plan.inputs}


def _reads(planned: PlannedInput) -> list[dict[str, Any]]:
    if isinstance(planned, RunInput):
        return [
            {
                "from": "published",
                "path": read.path,
                "output": read.output,
                "attempt": read.published.number,
                "digest": read.published.digest,
                "rows": read.rows,
            }
            for read in planned.reads
        ]
    if isinstance(planned, TableInput):
        return [
            {
                "from": "table",
                "path": table.path,
                "version": table.snapshot.version,
                "up_to": table.span.moment and table.span.moment.isoformat(),
                "files": len(table.files),
                "rows": table.rows,
            }
            for table in planned.tables
        ]
    if isinstance(planned, SourceInput):
        source = planned.listing.source
        return [{"from": f"source {source}", "path": file.place, "bytes": file.bytes} for file in planned.listing.files]
    if isinstance(planned, QueryInput):
        query = planned.query
        return [{"from": f"source {query.source}", "path": query.relation, "connection": query.spec.connection}]
    if isinstance(planned, FixtureInput):
        return [{"from": "fixture", "path": planned.fixture.origin, "rows": len(planned.fixture.rows)}]
    return []


def explain_settings(prepared: Prepared, scope: Scope, environ: Mapping[str, str]) -> tuple[Setting, ...]:
    """Every setting that the session would start with, and who set it; no JVM is started, nothing built or fetched.

    None of a Contract, which Spark does not run.
    """
    if prepared.request.contract.container:
        return ()
    config = prepared.request.config
    buckets = endpoints(prepared.request, scope.world.writing_to(scope.local_store))
    asked = session_settings(config, scope.workspace, quick=bool(prepared.request.fixtures))
    folder = Path(tempfile.gettempdir(), f"{PREFIX}...")  # each session has one of its own
    asked = replace(asked, stores=StoreAccess(store_settings(buckets)), event_log=folder)
    submitted = submit_conf(environ, spark_home())
    known = {one.key: one.value for one in effective_settings(asked, submit=submitted)}
    options = (*_archive_options(asked, known, environ), *tuned(known, short_job=asked.short_job))
    return effective_settings(asked, submit=submitted, java_options=options)


def _archive_options(asked: SessionSettings, known: Mapping[str, str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Java's options for the archive that is there; none where one would have to be built first."""
    try:
        java = find_java(environ)
    except SetupError:
        return ()  # no Java here: doctor's business
    class_path, heap = known.get("spark.driver.extraClassPath", ""), known.get("spark.driver.memory", "")
    assert asked.archive_dir is not None
    found = find_archive(asked.archive_dir, fingerprint(java, spark_home(), class_path=class_path, heap=heap))
    return archive_options(found) if found else ()


def as_facts(plan: Plan, settings: tuple[Setting, ...], store: Store) -> dict[str, Any]:
    """All of it, as JSON. ``command``: what would run here in place of an image; null of a job that Spark runs."""
    config = plan.config
    command = config.container.command if config.container else ()
    return {
        "job": config.job,
        "contract": plan.contract.hash,
        "parameters": dict(config.parameters),
        "key": str(config.key),
        "path": plan.path,
        "root": store.root,
        "segments": [note._asdict() for note in explain_path(config.key)],
        "run": {
            "date": config.run.logical_date and config.run.logical_date.isoformat(),
            "start": config.run.start and config.run.start.isoformat(),
            "end": config.run.end and config.run.end.isoformat(),
            "zone": config.run.zone,
        },
        "inputs": explain_inputs(plan),
        "outputs": {
            port.name: {"schema": port.schema.name, "columns": list(port.schema.names), "checks": _checks(port.schema)}
            for port in plan.contract.outputs
        },
        "attempts": len(RunLog(store, config.key).state().attempts),
        "command": list(command) if plan.contract.container else None,
        "settings": [_setting(one) for one in settings],
    }


def _checks(schema: SchemaSpec) -> list[str]:
    return [check.name for check in schema.checks]


def _setting(one: Setting) -> dict[str, Any]:
    return {"key": one.key, "value": one.shown, "set_by": one.set_by, "over": [layer for layer, _ in one.over]}
