"""Static keys of one identity of an S3 server."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and its secret, which no text shows."""

    access: str
    secret: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """As boto3's default chain, and Spark's, find them. Nothing of the machine is asked."""
        return {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
