"""What can go wrong with a local Airflow, as leaves of the project's error tree."""

from framework.errors import FinalError, RetryableError


class AirflowRefused(FinalError):
    """Airflow answered, and said no: wrong request, no permission, no such DAG."""


class AirflowUnavailable(RetryableError):
    """Airflow did not answer, or answered that it is broken just now."""
