"""What the errors of an object store mean to who runs a job: codes as a table, and one border where they turn.

Final is what somebody must change: a name, a key, a policy, a clock. Retryable is what passes, or what a new process
gets anew, as an expired token.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, NoReturn

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 botocore's own, the base of all that befalls a connection
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)
from botocore.parsers import ResponseParserError

from framework.errors import PathError, SetupError, StoreUnavailable, TeamsparkError, clip

NOT_FOUND: Final = frozenset({"NoSuchKey", "404", "NotFound"})
TAKEN: Final = "PreconditionFailed"
_MESSAGE_CHARS: Final = 160
_SERVER_ERROR: Final = 500


class Fact(NamedTuple):
    """What an error becomes."""

    kind: type[TeamsparkError]
    what: str
    next_step: str


_BUSY: Final = Fact(
    StoreUnavailable, "the store asks for fewer requests", "run again later; fewer runs at once, or another prefix"
)
_HICCUP: Final = Fact(
    StoreUnavailable, "the store did not answer as it should", "run again; if it stays so, ask who runs the store"
)
_EXPIRED: Final = Fact(
    StoreUnavailable,
    "the credentials have expired",
    "log in again; a pod with a role gets new ones by itself: if this one did not, look at its service account",
)
_DENIED: Final = Fact(
    SetupError,
    "the store denies access",
    "let this identity get, put, delete and list below the team's root, or use the team's own identity",
)
_UNKNOWN_KEY: Final = Fact(SetupError, "the store does not know this access key", "use keys or a role that it knows")
_CLOCK: Final = Fact(
    SetupError, "this machine's clock and the store's differ by too much", "set the clock of this machine (NTP)"
)
_ELSEWHERE: Final = Fact(
    SetupError, "the bucket is in another region, or behind another endpoint", "give store.region in the team file"
)
_NO_CREDENTIALS: Final = Fact(
    SetupError,
    "no credentials for the store",
    "run under a role (service account), log in, or set AWS_PROFILE; team files never hold keys",
)
_UNREACHABLE: Final = Fact(
    StoreUnavailable, "the store cannot be reached", "run again; check store.endpoint and the network's policy"
)
_REFUSED: Final = Fact(
    SetupError, "the store refuses this request", "look at the code; the store may not speak S3 fully"
)

_CODES: Final[Mapping[str, Fact]] = {
    "NoSuchBucket": Fact(SetupError, "no such bucket", "make the bucket, or mend store.bucket in the team file"),
    "InvalidBucketName": Fact(SetupError, "not a bucket's name", "mend store.bucket in the team file"),
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "403": _DENIED,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "InvalidAccessKeyId": _UNKNOWN_KEY,
    "InvalidToken": _UNKNOWN_KEY,
    "InvalidClientTokenId": _UNKNOWN_KEY,
    "SignatureDoesNotMatch": Fact(
        SetupError, "the store refuses the signature", "the secret key does not belong to the access key: set both anew"
    ),
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "PermanentRedirect": _ELSEWHERE,
    "TemporaryRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "IllegalLocationConstraintException": _ELSEWHERE,
    "301": _ELSEWHERE,
    "307": _ELSEWHERE,
    "KeyTooLongError": Fact(PathError, "the store refuses so long a name", "choose a shorter store.prefix, or ids"),
    "NotImplemented": Fact(
        SetupError, "the store lacks what publishing needs", "use one that knows If-None-Match on PutObject"
    ),
    "QuotaExceeded": Fact(StoreUnavailable, "the store is full", "free space, or raise the quota, then run again"),
    "SlowDown": _BUSY,
    "Throttling": _BUSY,
    "ThrottlingException": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "TooManyRequestsException": _BUSY,
    "429": _BUSY,
    # The other writer may still fail: who reads the slot back knows.
    "ConditionalRequestConflict": Fact(StoreUnavailable, "another writer is at the same name", "run again"),
    "OperationAborted": Fact(StoreUnavailable, "another writer is at the same name", "run again"),
    "RequestTimeout": _HICCUP,
    "IncompleteBody": _HICCUP,
    "BadDigest": _HICCUP,
}
# From the particular to the general: the first that fits decides.
_FAILURES: Final[tuple[tuple[type[Exception], Fact], ...]] = (
    (NoCredentialsError, _NO_CREDENTIALS),
    (PartialCredentialsError, _NO_CREDENTIALS),
    (ProfileNotFound, _NO_CREDENTIALS),
    (
        CredentialRetrievalError,
        Fact(StoreUnavailable, "the credentials could not be fetched", "run again; log in anew"),
    ),
    (ParamValidationError, Fact(SetupError, "not a name that the store can have", "mend store in the team file")),
    (EndpointConnectionError, _UNREACHABLE),
    (ConnectionError, _HICCUP),
    (HTTPClientError, _HICCUP),
    (IncompleteReadError, _HICCUP),
    (ResponseParserError, _HICCUP),
    (BotoCoreError, _REFUSED),
)


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raises: StoreUnavailable, SetupError or PathError, with ``where``, for botocore's error that was raised inside."""
    try:
        yield
    except ClientError as error:
        _raise_for(error, error.response, where)
    except (BotoCoreError, ResponseParserError) as error:
        fact = next(fact for kind, fact in _FAILURES if isinstance(error, kind))
        got = f"{type(error).__name__}: {clip(str(error), _MESSAGE_CHARS)}"
        raise fact.kind(fact.what, where=where, got=got, next_step=fact.next_step) from error


def code_of(error: ClientError) -> str:
    """The server's code; the status of a reply without a body, as to HEAD."""
    return str(error.response.get("Error", {}).get("Code", ""))


def refusal(told: Mapping[str, Any], where: str, *, status: int = 0) -> TeamsparkError:
    """The error for ``told``, the server's code and message."""
    code = str(told.get("Code", ""))
    fact = _CODES.get(code) or (_HICCUP if status >= _SERVER_ERROR or not code else _REFUSED)
    got = f"{code or 'no code'} (HTTP {status}): {clip(str(told.get('Message', '')), _MESSAGE_CHARS)}"
    return fact.kind(fact.what, where=where, got=got, next_step=fact.next_step)


def _raise_for(error: ClientError, response: Mapping[str, Any], where: str) -> NoReturn:
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    raise refusal(response.get("Error", {}), where, status=status) from error
