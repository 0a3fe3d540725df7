"""The kit ``store`` of the isolation matrix: attacks on an object store as the team's own role, taken on with its account's token.

What it puts are canaries below each team's own place, and they are removed. Another team's data is never read for what it is.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final

from framework.storage.keys import Keys
from framework.storage.paths import task_path
from framework.tenancy.layers import Site
from framework.tenancy.names import Names
from framework.tenancy.places import DEFAULT_REGION, BucketStore
from framework.tenancy.reach import reach_of
from framework.testing.isolation import Attack, Deed, Gap, Unreachable, Wish, Witness
from k8s.client import Cluster
from k8s.identity.deciding import LAYER
from k8s.identity.documents import role_arn
from k8s.platform import Platform, load_platform
from k8s.tenant.layer import KubernetesLayer
from k8s.testing.cluster import applied_pairs
from k8s.testing.pods import Pair
from k8s.testing.requests import (
    NO_SIGNATURE,
    OPEN_POLICY,
    TOLD,
    Place,
    keys_elsewhere,
    listings,
    make_and_remove,
    needs,
    objects,
    refused,
    remove_all,
    unsigned,
    use,
)


@dataclass(frozen=True)
class StoreKit:
    """``places`` in a ring: each is after the next one's. ``tokens``: a token of an account of a team, for an audience."""

    places: Sequence[Place]
    tokens: Callable[[str, str, str], str] = field(repr=False)
    audience: str
    admin: Keys | None = None

    @property
    def layer(self) -> str:
        return LAYER

    @cached_property
    def clients(self) -> Mapping[str, Any]:
        """Each team's driver at the store; its canary is put."""
        found = {one.team: one.session(one.keys(self._token(one.team))) for one in self.places}
        for one in self.places:
            found[one.team].put_object(Bucket=one.reach.own.bucket, Key=one.canary, Body=TOLD)
        return found

    def _token(self, team: str, account: str = "driver") -> str:
        names = Names(team)
        space = names.airflow_namespace if account == names.launcher else names.namespace
        return self.tokens(space, account, self.audience)

    @property
    def pairs(self) -> Iterator[tuple[Place, Place]]:
        return zip(self.places, [*self.places[1:], self.places[0]], strict=True)

    def attacks(self) -> Iterator[Attack]:
        for mine, other in self.pairs:
            client = self.clients[mine.team]
            for family, table in (
                ("another team's objects", objects(client, mine, other)),
                ("listings", listings(client, mine, other)),
                ("keys that lead elsewhere", keys_elsewhere(client, mine, other)),
                ("buckets and rights", self._administration(mine)),
                ("another identity", self._identities(mine, other)),
            ):
                for name, deed in table.items():
                    yield Attack(LAYER, mine.team, family, name, refused(deed))

    def _administration(self, mine: Place) -> dict[str, Deed]:
        client, bucket = self.clients[mine.team], mine.reach.own.bucket
        iam = mine.session(mine.keys(self._token(mine.team)), "iam")
        rules = {"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}
        return {
            "makes a bucket": partial(client.create_bucket, Bucket=f"try-{secrets.token_hex(4)}"),
            "removes its bucket": partial(client.delete_bucket, Bucket=bucket),
            "gives the bucket a policy": partial(client.put_bucket_policy, Bucket=bucket, Policy=OPEN_POLICY % bucket),
            "takes the bucket's policy": partial(client.delete_bucket_policy, Bucket=bucket),
            "opens the bucket": partial(client.put_bucket_acl, Bucket=bucket, ACL="public-read-write"),
            "lets objects end": partial(
                client.put_bucket_lifecycle_configuration, Bucket=bucket, LifecycleConfiguration=rules
            ),
            "stops versions": partial(
                client.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
            ),
            "opens an object": partial(client.put_object_acl, Bucket=bucket, Key=mine.canary, ACL="public-read"),
            "makes a user": partial(iam.create_user, UserName="try"),
            "makes keys": partial(iam.create_access_key, UserName="admin"),
            "lists users": iam.list_users,
        }

    def _identities(self, mine: Place, other: Place) -> dict[str, Deed]:
        token = self._token(mine.team)
        head, body, mark = token.split(".")
        names = Names(mine.team)
        return {
            "the other's role": partial(mine.keys, token, other.role),
            "a role that is not there": partial(mine.keys, token, f"{mine.role}-admin"),
            "as the launcher": lambda: use(mine, mine.keys(self._token(mine.team, names.launcher))),
            "as the default account": lambda: use(mine, mine.keys(self._token(mine.team, "default"))),
            "with a token for Kubernetes": lambda: use(mine, mine.keys(self.tokens(names.namespace, names.driver, ""))),
            "with a token for another audience": lambda: use(
                mine, mine.keys(self.tokens(names.namespace, names.driver, "vault"))
            ),
            "a signature of another token": partial(mine.keys, f"{head}.{body}.{mark[::-1]}"),
            "no signature": partial(mine.keys, f"{NO_SIGNATURE}.{body}."),
            "no token": partial(mine.keys, "not.a.token"),
            "without a session's token": lambda: use(mine, self._halved(mine, token)),
            "with another secret": lambda: use(mine, Keys("admin", secrets.token_hex(16))),
            "with no keys at all": lambda: unsigned(mine, other),
        }

    @staticmethod
    def _halved(mine: Place, token: str) -> Keys:
        whole = mine.keys(token)
        return Keys(whole.access, whole.secret)

    def witnesses(self) -> Iterator[Witness]:
        """The same requests of somebody who may: the other team at its own place, an administrator."""
        mine, other = next(iter(self.pairs))
        client, own = self.clients[other.team], other.reach.own
        read = partial(client.get_object, Bucket=own.bucket, Key=other.canary)
        yield Witness(LAYER, "another team's objects", read)
        yield Witness(LAYER, "listings", partial(client.list_objects_v2, Bucket=own.bucket, Prefix=own.keys))
        yield Witness(LAYER, "keys that lead elsewhere", read)
        yield Witness(LAYER, "another identity", lambda: use(mine, mine.keys(self._token(mine.team))))
        if self.admin is not None:
            yield Witness(LAYER, "buckets and rights", partial(make_and_remove, mine.session(self.admin)))

    def wishes(self) -> Iterator[Wish]:
        for one in self.places:
            client = self.clients[one.team]
            for name, deed in needs(client, one).items():
                yield Wish(LAYER, one.team, name, deed)
            for place in one.reach.reads:
                listed = partial(client.list_objects_v2, Bucket=place.bucket, Prefix=place.keys)
                yield Wish(LAYER, one.team, f"lists what it was granted: {place.keys}", listed)
            executor = partial(self._as_executor, one)
            yield Wish(LAYER, one.team, "its executors read", executor)

    def _as_executor(self, one: Place) -> None:
        use(one, one.keys(self._token(one.team, "executor")))

    def clear(self) -> None:
        for one in self.places:
            remove_all(self.clients[one.team], one)

    def gaps(self) -> Sequence[Gap]:
        return GAPS


GAPS: Final = (
    Gap(
        LAYER,
        "who reaches the filer behind an S3 port of SeaweedFS is asked for no identity",
        "NetworkPolicies open the S3 port only, and a filer with keys of its own takes signed requests only",
    ),
    Gap(
        LAYER,
        "SeaweedFS compares the resources of a policy without case",
        "paths have no capitals, and no two teams' names differ by them",
    ),
)


def kit(site: Site) -> StoreKit:
    """What the entry point ``teamspark.isolation`` names. Raises: Unreachable, and what the layer raises."""
    cluster = KubernetesLayer(site).cluster  # which makes service accounts' tokens
    platform = load_platform(site.workspace)
    return StoreKit(
        places_of(site, platform, applied_pairs(site, cluster)),
        partial(token_of, cluster),
        platform.audience,
        _operator(site.environ),
    )


def places_of(site: Site, platform: Platform, pairs: Sequence[Pair]) -> tuple[Place, ...]:
    """Those of the teams that attack. Raises: Unreachable for a store that is in no bucket."""
    found = []
    for pair in pairs:
        name, store = pair.team.team, pair.team.store
        reach = reach_of(site.teams, name, task_path)
        if reach is None or not isinstance(store, BucketStore):
            raise Unreachable(f"the store of '{name}' is in no bucket")
        found.append(Place(name, reach, store.endpoint, store.region or DEFAULT_REGION, role_arn(platform, name)))
    return tuple(found)


def token_of(cluster: Cluster, space: str, account: str, audience: str) -> str:
    return cluster.token(space, account, audiences=(audience,) if audience else ())


def _operator(environ: Mapping[str, str]) -> Keys | None:
    """Of whoever runs this: the witness that may do all."""
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    return Keys(access, secret, environ.get("AWS_SESSION_TOKEN")) if access and secret else None
