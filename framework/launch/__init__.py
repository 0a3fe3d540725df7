"""Starting a run's process, watching it and ending it, behind one narrow seam.

Belongs here: what a launcher must promise (``base``), the launcher of one machine (``local`` with
``local_runner``), and its peer in memory. Does not belong here: what the process does, what Airflow
thinks of it, and which command line it gets. No clock decides anything.
"""
