"""What a program is told, part by part, from what its run knows. Pure."""

from collections.abc import Mapping

from framework.config import ExportedConfig
from framework.container.layout import Layout
from framework.container.staging import columns_of, for_tools
from framework.container.told import OutputTold, RunTold, S3Told
from framework.job import OutputPort
from framework.storage.base import Access


def run_told(config: ExportedConfig) -> RunTold:
    """Which run it is."""
    key, facts = config.key, config.run
    return RunTold(
        team=key.team, dag_id=key.dag_id, task_id=key.task_id, run=key.run, map_index=key.map_index,
        logical_date=facts.logical_date, start=facts.start, end=facts.end, zone=facts.zone,
    )  # fmt: skip


def output_told(port: OutputPort, layout: Layout, uri: str | None) -> OutputTold:
    """Where ``port`` is written: below ``uri``, else in its folder."""
    columns = columns_of(port.schema)
    if uri is None:
        return OutputTold(path=str(layout.output(port.name)), columns=columns)
    return OutputTold(path=None, uri=for_tools(uri), columns=columns)


def buckets_told(accesses: tuple[Access, ...]) -> Mapping[str, S3Told]:
    """Where the buckets are."""
    return {
        one.bucket: S3Told(endpoint=one.endpoint, region=one.region, path_style=one.path_style)
        for one in accesses
        if one.bucket
    }
