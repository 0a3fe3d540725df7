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
    _onboard()


def _onboard() -> None:
    """The pool and the rest of each team of the workspace, as ``teamspark team apply`` makes them for a shared Airflow."""
    from airflow.configuration import conf

    from airflow_bindings.onboarding import database
    from airflow_bindings.onboarding.rows import wanted
    from airflow_bindings.settings import SECTION, read_settings
    from framework.tenancy.load import load_teams

    if not conf.get(SECTION, "workspace", fallback=None):
        return
    settings = read_settings()
    for team in load_teams(settings.workspace, settings.team_files).by_name.values():
        database.onboard(wanted(team))


if __name__ == "__main__":
    main()
