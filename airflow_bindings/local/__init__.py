"""A real multi-team Airflow on one machine: started, watched and stopped by one process of ours.

What belongs here: the settings of such a stack as a pure function, the table of its components, their
supervision, and a small client of its REST API. What does not: what the DAGs do, who the teams are, and
anything a shared installation would use: SQLite and the LocalExecutor keep no team from another.
Nothing here imports Airflow; it is started as processes and spoken to over HTTP.
"""
