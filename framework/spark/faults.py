"""What a store's failure is, when Spark tells of it: by signs in the text, each with its class and its next step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from framework.errors import SetupError, StoreUnavailable, TeamsparkError


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure. ``sign`` is a pattern; the class says whether time can mend it."""

    sign: str
    what: str
    kind: type[TeamsparkError]
    next_step: str


_ROOM: Final = "free space, or raise the quota, then run again"
_RIGHTS: Final = "give this user write permission on its root"
_KEYS: Final = "look at AWS_* in this process's environment, or at its service account: they belong to the team"
_LATER: Final = "run again; if it goes on, look at the store and at the endpoint in the team file"

DIRECTORY: Final = (
    Fault("No space left on device", "the store is full", StoreUnavailable, _ROOM),
    Fault("Disk quota exceeded", "the store is full", StoreUnavailable, _ROOM),
    Fault("Read-only file system", "the store is read-only", SetupError, "mount it for writing"),
    Fault("Mkdirs failed to create", "the store refuses a new folder", StoreUnavailable, _RIGHTS),
    Fault("Permission denied", "the store refuses writes", SetupError, _RIGHTS),
)
# In the order in which they are believed: a refusal names its reason, and time-outs follow from many others.
S3: Final = (
    Fault(r"ExpiredToken\w*|TokenRefreshRequired", "the credentials have expired", StoreUnavailable, "run again"),
    Fault(r"InvalidAccessKeyId|InvalidTokenId|InvalidToken\b", "the store does not know these keys", SetupError, _KEYS),
    Fault(r"SignatureDoesNotMatch", "the store does not accept the secret key", SetupError, _KEYS),
    Fault(r"NoAuthWithAWSException|No AWS Credentials", "there are no credentials for the store", SetupError, _KEYS),
    Fault(
        r"NoSuchBucket|UnknownStoreException|bucket does not exist",
        "there is no such bucket",
        SetupError,
        "create it, or mend the root in the team file",
    ),
    Fault(
        r"SlowDown|AWSServiceThrottledException|ServiceUnavailable\b|Status Code: 503",
        "the store asks to slow down",
        StoreUnavailable,
        "run again later, or with fewer tasks at once",
    ),
    Fault(
        r"AccessDenied\w*|AllAccessDisabled|Status Code: 403",
        "the store refuses this identity",
        SetupError,
        "grant it in the team file, or look whose credentials these are",
    ),
    Fault(
        r"ConnectException|UnknownHostException|NoRouteToHostException",
        "the store is not reached",
        StoreUnavailable,
        _LATER,
    ),
    Fault(
        r"ApiCallTimeout|ApiCallAttemptTimeout|SocketTimeoutException|ConnectTimeoutException|AWSApiCallTimeoutException"
        r"|NoHttpResponse|Connection reset|AWSClientIOException|AWSStatus500Exception|Status Code: 50[0-4]",
        "the store did not answer",
        StoreUnavailable,
        _LATER,
    ),
    # The answer to a HEAD has no body, so that its reason is not told; most often it is a token's age.
    Fault(
        r"AWSBadRequestException",
        "the store does not accept requests made so",
        StoreUnavailable,
        "run again with fresh credentials; if it goes on, look at the region in the team file and at this clock",
    ),
)


def store_fault(text: str, faults: Sequence[Fault], *, where: object) -> TeamsparkError | None:
    """The first of ``faults`` whose sign is in ``text``, as an error; None when none is."""
    for fault in faults:
        found = re.search(fault.sign, text)
        if found:
            return fault.kind(fault.what, where=where, got=found[0], next_step=fault.next_step)
    return None
