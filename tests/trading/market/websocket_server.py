"""A WebSocket server of a library in a process of its own: sends the lines of its standard input,
then closes, or with `--break` drops the connection.
"""

from __future__ import annotations

import asyncio
import sys

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol

LINES = sys.stdin.buffer.read().splitlines()
BREAKS = "--break" in sys.argv


class Sender(WebSocketServerProtocol):  # type: ignore[misc]
    def onOpen(self) -> None:  # noqa: N802 - its name
        self.sendPing(b"are you there")
        for line in LINES:
            self.sendMessage(line, fragmentSize=50_000 if len(line) % 2 else None)
        if BREAKS:
            asyncio.get_running_loop().call_later(0.1, self.transport.abort)

    def onPong(self, payload: bytes) -> None:  # noqa: N802 - its name
        assert payload == b"are you there"
        if not BREAKS:
            self.sendClose(1000)


async def main() -> None:
    factory = WebSocketServerFactory("ws://127.0.0.1")
    factory.protocol = Sender
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
