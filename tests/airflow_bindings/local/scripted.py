"""An HTTP server on this machine that answers as told: what a client is tested against when Airflow would be slow."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Answers from ``answers`` by (method, path) and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[tuple[str, str], list[tuple[int, object]]] = {}
        self.asked: list[tuple[str, str, object, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        queue = self.server.answers.get((self.command, self.path.partition("?")[0]), [(404, {"detail": "none"})])
        status, found = queue.pop(0) if len(queue) > 1 else queue[0]
        data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def scripted() -> Iterator[Server]:
    """A server that lets everybody in, with the tokens ``t1`` and then ``t2``."""
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        one.answers["POST", "/auth/token"] = [(201, {"access_token": "t1"}), (201, {"access_token": "t2"})]
        yield one
        one.shutdown()
        thread.join()
