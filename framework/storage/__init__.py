"""Where outputs are, and how they become visible: the path law, stores, and the publish protocol.

What belongs here: paths as pure functions (``paths``), stores behind one narrow seam (``base``, with a directory and a
memory, and a self-test), claims and manifests (``publish``, ``attempts``), and questions to a task's folder (``runs``).
What does not: Spark, tables, and who may read what. I/O goes through a ``Store``; no clock, lock or rename decides anything.
"""
