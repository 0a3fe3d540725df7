"""Whether an API server is there, asked without the client, which would ask several times."""

from contextlib import closing
from http import HTTPStatus
from http.client import HTTPException, HTTPSConnection
from ssl import SSLContext


def answers(address: str, port: int, check: SSLContext) -> bool:
    """Whether it says that it is ready."""
    with closing(HTTPSConnection(address, port, timeout=2, context=check)) as asked:
        try:
            asked.request("GET", "/readyz")
            return asked.getresponse().status == HTTPStatus.OK
        except (OSError, HTTPException):
            return False
