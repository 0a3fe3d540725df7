"""An issuer of web identities on loopback, as a Kubernetes API server is one: discovery, keys, and tokens as asked for."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from framework.servers.documents import serving

AUDIENCE: Final = "sts.amazonaws.com"
_KEY_ID: Final = "k1"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who vouches for service accounts at ``url``."""

    url: str
    key: rsa.RSAPrivateKey

    def token(self, subject: str, *, ttl_s: int = 900) -> str:
        now = int(time.time())
        claims = {"iss": self.url, "sub": subject, "aud": [AUDIENCE], "iat": now - 60, "nbf": now - 60}
        return jwt.encode({**claims, "exp": now + ttl_s}, self.key, algorithm="RS256", headers={"kid": _KEY_ID})

    def documents(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        keys = {"keys": [public | {"kid": _KEY_ID, "use": "sig", "alg": "RS256"}]}
        return {"/.well-known/openid-configuration": discovery, "/keys": keys}


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer as long as the block lasts."""
    with serving() as (url, handler):
        issuer = Issuer(url, rsa.generate_private_key(65537, 2048))
        handler.documents = issuer.documents()
        yield issuer
