"""The main job, end to end on real data: two teams, a real Airflow, the flights out of New York in 2013.

What belongs here: bringing the data to the source's place, driving the teams' DAGs over REST as their own
users, and the table at the end. What does not: the DAGs and jobs themselves, which know nothing of a demo.
"""

from airflow_bindings.demo.command import app

__all__ = ["app"]
