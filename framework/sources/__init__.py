"""Declared sources: data from outside the platform. ``jobs/<team>/sources.yaml`` says place, format and freshness.

The schema is the job's, permission is the team file's. The listing is frozen when a run is planned, recorded in the
manifest, and compared again after the read: a file that changed in between fails the run.

Belongs here: what a team declares, which files that means now, whether they are still the same. Does not: reading them
(``framework.spark``), who may (``framework.tenancy``).
"""

from framework.sources.listing import Listing, freeze, source_buckets
from framework.sources.queries import Query
from framework.sources.shelves import SourceFile
from framework.sources.specs import QuerySpec, SourceSpec, connections_of, find_source, load_sources, sources_in

__all__ = [
    "Listing",
    "Query",
    "QuerySpec",
    "SourceFile",
    "SourceSpec",
    "connections_of",
    "find_source",
    "freeze",
    "load_sources",
    "source_buckets",
    "sources_in",
]
