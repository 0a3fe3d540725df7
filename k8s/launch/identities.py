"""Who a team's pods are at its store: a role that they take on with their own token; no key is handed to anybody. Pure."""

from framework.tenancy.model import Team
from framework.tenancy.places import BucketStore
from k8s.identity.documents import role_arn
from k8s.launch.pods import Identity
from k8s.platform import Platform

_REGION = "us-east-1"


def identity_for(team: Team, platform: Platform) -> Identity | None:
    """None for a store that knows no roles: a mounted file system, whose wall is its access point."""
    if not isinstance(team.store, BucketStore):
        return None
    env = {"AWS_REGION": team.store.region or _REGION}
    if team.store.endpoint:
        env["AWS_ENDPOINT_URL_STS"] = team.store.endpoint
    return Identity(role_arn(platform, team.team), platform.audience, env)
