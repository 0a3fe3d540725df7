"""How a bucket is set up, as its server tells."""

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from framework.storage.lifecycle import BucketFacts
from framework.storage.s3errors import code_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NO_RULES: Final = "NoSuchLifecycleConfiguration"


def bucket_facts(client: "S3Client", bucket: str) -> BucketFacts:
    """Raises: botocore's errors."""
    # Once kept, versions stay when no more are made.
    versioned = client.get_bucket_versioning(Bucket=bucket).get("Status") in {"Enabled", "Suspended"}
    return BucketFacts(versioned, tuple(_rules(client, bucket)))


def _rules(client: "S3Client", bucket: str) -> Any:
    try:
        return client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if code_of(error) == _NO_RULES:
            return ()
        raise
