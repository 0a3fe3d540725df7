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
        """The account of drivers and containers."""
        return "driver"

    @property
    def executor(self) -> str:
        """The account of executors, which may ask Kubernetes for nothing."""
        return "executor"

    @property
    def cache(self) -> str:
        """The account of its cache, which may ask Kubernetes for nothing, and what the cache is called in the namespace."""
        return "cache"

    @property
    def claim(self) -> str:
        """On the volume that its outputs are on, where its store is a file system."""
        return "store"

    @property
    def volume(self) -> str:
        """What the cluster, which has no namespaces for volumes, calls that one."""
        return f"teamspark-{self.team}-store"

    @property
    def accounts(self) -> tuple[str, ...]:
        """All that act for the team."""
        return self.launcher, self.driver, self.executor

    @property
    def role(self) -> str:
        """Its identity at an object store."""
        return f"teamspark-{self.team}"

    def subjects(self, *, cached: bool) -> tuple[str, ...]:
        """Who may take that identity on: drivers and executors, both of which read and write, and the cache, where there is one."""
        accounts = (self.driver, self.executor, *([self.cache] if cached else []))
        return tuple(map(self.subject, accounts))

    @property
    def pool(self) -> str:
        """Of its tasks in Airflow, which knows pools by one name for all teams."""
        return self.team

    def has_pool(self, pool: str) -> bool:
        """Whether its tasks may run in it: Airflow's own for everybody, the team's, and more of the team's."""
        return pool in ("default_pool", self.pool) or pool.startswith(f"{self.pool}__")

    def connection(self, name: str) -> str:
        """What Airflow calls the team's own connection ``name``: in its database a name is one team's only."""
        return name if name.startswith(f"{self.team}__") else f"{self.team}__{name}"

    def subject(self, account: str) -> str:
        """Who an account of ``namespace`` is, in a token."""
        return f"system:serviceaccount:{self.namespace}:{account}"


def skeleton(team: str) -> str:
    """Two names that a reader may take for each other have the same."""
    for this, other in _ALIKE:
        team = team.replace(this, other)
    return team
