"""Inside one network namespace: answers on every port it is told, and opens connections to others on demand.

The first line in is ``[addresses, ports]`` to listen on, each further one ``[number, protocol, address, port, seconds]``; a line out ``[number, whether it answered]``.
"""

import asyncio
import json
import sys
from typing import Any


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        self.transport.sendto(data, address)


class Waiting(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[bool]) -> None:
        self.answered = answered

    def datagram_received(self, data: bytes, address: Any) -> None:
        if not self.answered.done():
            self.answered.set_result(True)

    def error_received(self, error: Exception) -> None:
        pass


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x")
    writer.close()


async def tcp(address: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(address, port)
    found = await reader.read(1)
    writer.close()
    return found == b"x"


async def udp(address: str, port: int) -> bool:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bool] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: Waiting(answered), remote_addr=(address, port))
    try:
        while not answered.done():
            transport.sendto(b"x")
            await asyncio.wait([answered], timeout=0.1)
        return True
    finally:
        transport.close()


async def answer(number: int, protocol: str, address: str, port: int, seconds: float) -> None:
    ask = {"TCP": tcp, "UDP": udp}[protocol]
    try:
        found = await asyncio.wait_for(ask(address, port), seconds)
    except OSError:  # a timeout is one
        found = False
    print(json.dumps([number, found]), flush=True)


async def main() -> None:
    loop = asyncio.get_running_loop()
    print("[-1, true]", flush=True)
    addresses, ports = json.loads(sys.stdin.readline())
    for port in ports:
        await asyncio.start_server(greet, None, port)
        for address in addresses:  # one socket each: so an answer has the address that was asked
            await loop.create_datagram_endpoint(Echo, local_addr=(address, port))
    print("[-1, true]", flush=True)
    asked: set[asyncio.Task[None]] = set()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked.add(asyncio.create_task(answer(*json.loads(line))))


asyncio.run(main())
