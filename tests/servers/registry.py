"""A registry of images on loopback: Debian's, with a certificate of an authority of its own, and a password."""

import base64
import json
import os
import re
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
import yaml

from framework.servers.ports import HOST, free_port, is_free
from framework.servers.processes import Program, await_ready, start, stop

USER: Final = "flights"
PASSWORD: Final = "right"
# bcrypt, the only kind that it takes, of that password.
_LOGINS: Final = f"{USER}:$2b$05$c2FsdHNhbHRzYWx0c2FsdO0luR2ltNaTSGkVfRWW18xud/.Fxw4o2\n"
_STORED: Final = re.compile(r'http\.request\.method=PUT .*?http\.request\.uri="/v2/([^?"]*)/blobs/uploads/')
READY_S: Final = 60.0


@dataclass(frozen=True)
class RealRegistry:
    """One that is up, at ``host``, as ``127.0.0.1:PORT``."""

    host: str
    home: Path

    def environ(self, *, password: str | None = PASSWORD, trusted: bool = True) -> dict[str, str]:
        """Of a client: with a login, or none, and with the registry's authority, or without."""
        name = f"client-{password}-{trusted}"
        logins = login_file(self.home / name / "auth.json", self.host, password)
        authority = {"SSL_CERT_FILE": str(self.home / "ca.crt")} if trusted else {}
        return {**bare(self.home / name), "REGISTRY_AUTH_FILE": str(logins), **authority}

    def stored(self) -> int:
        """How many blobs were sent and kept until now."""
        lines = (self.home / "log").read_text().splitlines()
        return sum("response completed" in line and _STORED.search(line) is not None for line in lines)


def bare(home: Path) -> dict[str, str]:
    """An environment that knows nobody."""
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


def login_file(file: Path, host: str, password: str | None) -> Path:
    """As ``docker login`` leaves it."""
    secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"auths": {} if password is None else {host: {"auth": secret}}}))
    return file


@contextmanager
def serving_images(home: Path) -> Iterator[RealRegistry]:
    """As long as the block lasts; what is pushed is below ``home``."""
    program = shutil.which("docker-registry")
    if program is None or shutil.which("skopeo") is None:
        pytest.skip("no registry on this machine: apt-get install docker-registry skopeo")
    port = free_port()
    certified(home)
    (home / "htpasswd").write_text(_LOGINS)
    config = {
        "version": 0.1,
        "log": {"level": "info", "formatter": "text"},
        "storage": {"filesystem": {"rootdirectory": str(home / "data")}},
        "http": {"addr": f"{HOST}:{port}", "tls": {"certificate": str(home / "pair.pem"), "key": str(home / "pair.pem")}},
        "auth": {"htpasswd": {"realm": "images", "path": str(home / "htpasswd")}},
    }  # fmt: skip
    (home / "config.yml").write_text(yaml.safe_dump(config))
    started = start(
        Program("registry", [program, "serve", str(home / "config.yml")], bare(home), home / "log", dies_with_us=True)
    )
    try:
        await_ready([started], lambda: ["registry"] if is_free(port) else [], within_s=READY_S)
        yield RealRegistry(f"{HOST}:{port}", home)
    finally:
        stop([started], 10)


def certified(home: Path) -> Path:
    """A certificate for loopback and its key, in one file; its authority in ``ca.crt`` beside."""
    from k8s.local.certificates import Authority

    authority = Authority()
    pair = authority.server("registry", ("localhost",), (HOST,))
    (home / "ca.crt").write_bytes(authority.certificate)
    (home / "pair.pem").write_bytes(pair.key + pair.certificate)
    return home / "pair.pem"


class _Refusing(BaseHTTPRequestHandler):
    """As a registry answers who may not push."""

    def do_GET(self) -> None:
        body = b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}'
        self.send_response(200 if self.path == "/v2/" else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_GET

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def refusing(home: Path) -> Iterator[str]:
    """The address of a server that knows who asks, and lets nobody in; its authority is in ``home``."""
    server = ThreadingHTTPServer((HOST, 0), _Refusing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified(home))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
