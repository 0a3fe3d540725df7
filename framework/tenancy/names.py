"""Every name that follows from a team's, in one place: nobody types one, so no two of them differ.

A team's name is 3 to 30 of a-z and 0-9 (``framework.identity.check_team``): without a dash or a dot, so that a suffix behind a
dash is never part of another team's name.
"""

from dataclasses import dataclass
from typing import Final

# Pairs that look alike in the fonts of terminals: UTS #39, confusables.txt, as far as our alphabet goes.
_ALIKE: Final = (("0", "o"), ("1", "l"), ("rn", "m"), ("vv", "w"))


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one team's belongings."""

    team: str

    @property
    def namespace(self) -> str:
        """Of its Spark and its containers."""
        return self.team

    @property
    def airflow_namespace(self) -> str:
        """Of its Airflow workers, whose commands hold tokens: nothing of Spark may look into it."""
        return f"{self.team}-airflow"

    @property
    def namespaces(self) -> tuple[str, str]:
        return self.namespace, self.airflow_namespace

    @property
    def launcher(self) -> str:
        """The account, in the Airflow namespace, that starts drivers and containers."""
        return "launcher"

    @property
    def driver(self) -> str:
        """The account of drivers and containers: the one with an identity at the store."""
        return "driver"

    @property
    def executor(self) -> str:
        """The account of executors, which may ask Kubernetes for nothing."""
        return "executor"

    def subject(self, account: str) -> str:
        """Who an account of ``namespace`` is, in a token."""
        return f"system:serviceaccount:{self.namespace}:{account}"


def skeleton(team: str) -> str:
    """Two names that a reader may take for each other have the same."""
    for this, other in _ALIKE:
        team = team.replace(this, other)
    return team
