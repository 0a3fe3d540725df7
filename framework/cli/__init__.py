"""The command line ``teamspark``: asks the other rooms, and prints. No rule of the platform is decided here.

``app`` is the root command with its error border; ``commands`` holds one thin module per sub-command; every other
module answers a question as a value (what to run, what differs, what is broken) and prints nothing.
Importing this package costs nothing; ``teamspark --help`` imports neither pyspark nor Airflow.
"""

__all__ = ["main"]


def main() -> None:
    """The installed program. Ends the process with the documented exit code."""
    try:
        from framework.cli.app import app

        app(prog_name="teamspark")
    except KeyboardInterrupt:  # before or after a command: importing, or waiting for a thread
        raise SystemExit(130) from None
