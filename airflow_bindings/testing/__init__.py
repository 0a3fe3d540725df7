"""Attacks on an Airflow's walls between teams, for ``pytest --isolation``."""
