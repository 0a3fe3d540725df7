"""Makes the database and the teams: ``python -m airflow_bindings.local.prepare``, in the stack's environment.

Both of Airflow's commands in one process: nearly all of each one's time is importing Airflow.
"""

from typing import Final

# The DAG processor refuses a bundle of an unknown team, so the teams come before it starts.
COMMANDS: Final = (("db", "migrate"), ("teams", "sync"))


def main() -> None:
    # The order is Airflow's own: importing settings before configuration makes a cycle.
    from airflow import configuration
    from airflow.cli import cli_parser

    configuration.write_default_airflow_configuration_if_needed()
    parser = cli_parser.get_parser()
    for command in COMMANDS:
        arguments = parser.parse_args(command)
        arguments.func(arguments)


if __name__ == "__main__":
    main()
