"""A few JSON documents by path, on loopback: what a server of this machine has to be able to ask for, such as an issuer's keys."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from framework.servers.ports import HOST

_LOOK_S: Final = 0.05
_STOP_S: Final = 30


class _Handler(BaseHTTPRequestHandler):
    documents: Mapping[str, Any]

    def do_GET(self) -> None:
        found = self.documents.get(self.path)
        self.send_response(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *args: Any) -> None:
        """Nobody reads a log of it."""


@contextmanager
def serving(documents: Mapping[str, Any] | None = None) -> Iterator[tuple[str, type[_Handler]]]:
    """As long as the block lasts: the address, and what answers, whose ``documents`` may be replaced."""
    handler = type("Handler", (_Handler,), {"documents": documents or {}})
    server = ThreadingHTTPServer((HOST, 0), handler)
    thread = Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_STOP_S)
