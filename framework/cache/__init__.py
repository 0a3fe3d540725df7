"""The cache before a team's store: where a dataset is read fastest, and what is kept there. Never the record.

``base`` is the seam; ``none``, ``memory`` and ``alluxio`` are behind it. ``cluster`` runs a small Alluxio on this machine.
No pyspark here: what a session needs is told as settings and names of sets of jars.
"""
