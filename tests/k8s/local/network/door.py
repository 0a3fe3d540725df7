"""Passes connections on from one port of loopback to another, until it is killed: so a server goes away and comes back."""

import asyncio
import sys


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def main() -> None:
    mine, theirs = map(int, sys.argv[1:])

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", theirs)
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(passed, "127.0.0.1", mine)
    print("open", flush=True)
    await server.serve_forever()


asyncio.run(main())
