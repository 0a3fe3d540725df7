"""The documents of a store's identities, from the team files and the platform's. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from framework.storage.lifecycle import wanted_rules
from framework.storage.paths import task_path
from framework.tenancy.iam import PROVIDER, Dialect, Document, bucket_policy, policy, trust
from framework.tenancy.model import Team, Teams
from framework.tenancy.names import Names
from framework.tenancy.places import EfsStore
from framework.tenancy.reach import reach_of
from k8s.platform import Platform, StoreIdentity

FOLDER_MODE: Final = "0750"


def role_arn(platform: Platform, team: str) -> str:
    """What a pod is told to take on; SeaweedFS knows roles by the same words."""
    return f"arn:aws:iam::{platform.account}:role/{Names(team).role}"


def subjects_of(team: Team, platform: Platform) -> tuple[str, ...]:
    """Whose tokens the team's role is for."""
    return Names(team.team).subjects(cached=platform.caches(team))


def aws_documents(teams: Teams, team: Team, platform: Platform) -> dict[str, Document]:
    """By name, as AWS' API takes each: ``trust`` and ``policy`` of the role, what the bucket denies everybody, its life cycle;
    the access point of a team whose store is a file system.

    Raises: ConfigError.
    """
    reach = reach_of(teams, team.team, task_path)
    found: dict[str, Document] = {}
    if reach is not None:
        found["trust"] = trust(platform.trusted, subjects_of(team, platform), Dialect.aws)
        found["policy"] = policy(reach)
        found["bucket_policy"] = bucket_policy(reach.own)
        found["lifecycle"] = wanted_rules(team.team, reach.own.keys)
    if isinstance(team.store, EfsStore):
        found["access_point"] = access_point(team.team, team.store)
    return found


def access_point(team: str, store: EfsStore) -> Document:
    """Whoever mounts it is the team's user, whatever he is on his machine, and sees the team's folder as the root
    (Amazon EFS API, CreateAccessPoint).
    """
    path = f"/{team}"
    root: Document = {"Path": path}
    if store.uid is None or store.gid is None:
        return {"RootDirectory": root}
    owner = {"OwnerUid": store.uid, "OwnerGid": store.gid, "Permissions": store.mode or FOLDER_MODE}
    return {
        "PosixUser": {"Uid": store.uid, "Gid": store.gid},
        "RootDirectory": {**root, "CreationInfo": owner},
    }


def seaweedfs_roles(teams: Teams, platform: Platform, where: StoreIdentity) -> Document:
    """All but the secret part of the file that SeaweedFS reads: who vouches for accounts, and a role of each team in a bucket.

    Raises: ConfigError.
    """
    reaches = {name: reach for name in sorted(teams.by_name) if (reach := reach_of(teams, name, task_path))}
    return {
        "providers": [_provider(platform, where)],
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": Names(name).role, "document": policy(reach)} for name, reach in reaches.items()],
        "roles": [_role(platform, teams.team(name)) for name in reaches],
    }


def _provider(platform: Platform, where: StoreIdentity) -> dict[str, Any]:
    config = {
        "issuer": platform.issuer,
        "clientId": platform.audience,
        "jwksUri": where.jwks,
        "scopes": ["openid"],
    }
    return {"name": PROVIDER, "type": "oidc", "enabled": True, "config": config}


def _role(platform: Platform, team: Team) -> dict[str, Any]:
    names = Names(team.team)
    return {
        "roleName": names.role,
        "roleArn": role_arn(platform, team.team),
        "attachedPolicies": [names.role],
        "trustPolicy": trust(platform.trusted, subjects_of(team, platform), Dialect.seaweedfs),
    }


def token_service(where: StoreIdentity, signing_key: str) -> dict[str, str]:
    """How sessions are made. ``signing_key``: base64 of 32 bytes or more; whoever knows it makes sessions of any role."""
    return {
        "tokenDuration": where.session, "maxSessionLength": "12h", "issuer": "teamspark", "signingKey": signing_key,
    }  # fmt: skip


def roles_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """By role: all of what the document says of it."""
    policies = {one["name"]: one for one in document.get("policies") or ()}
    return {
        one["roleName"]: {"role": one, "policy": policies.get(one["roleName"])} for one in document.get("roles") or ()
    }
