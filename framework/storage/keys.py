"""Static keys of one identity of an S3 server."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret, which no text shows; ``token`` where they are those of a session."""

    access: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def environment(self) -> dict[str, str]:
        """As boto3's default chain, and Spark's, find them. Nothing of the machine is asked."""
        token = {} if self.token is None else {"AWS_SESSION_TOKEN": self.token}
        return {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            **token,
        }
