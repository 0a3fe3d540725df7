"""Tables: one Delta dataset over many dated runs, of which each run replaces its own rows and nobody else's.

``actions`` and ``snapshot`` are a Delta log as values, ``schemas`` what its columns may become, ``proposal`` what a
published attempt wants of the table and whether it may have it. ``log`` reads and takes slots of the log in a store,
``commit`` is the loop around both, ``pinning`` what a reader gets, ``holding`` what retention has to leave alone. No
pyspark here, and no other client of a store than ``framework.storage``.
"""
