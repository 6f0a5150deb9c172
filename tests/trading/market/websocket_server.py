"""A WebSocket server of a library in a process of its own: sends the lines of its standard input,
then closes, with `--break` drops the connection, with `--silent` leaves it open. `--port` names the
port, any free one without.
"""

from __future__ import annotations

import asyncio
import sys

from autobahn.asyncio.websocket import WebSocketServerFactory, WebSocketServerProtocol

LINES = sys.stdin.buffer.read().splitlines()
BREAKS, STAYS = "--break" in sys.argv, "--silent" in sys.argv
PORT = int(sys.argv[sys.argv.index("--port") + 1]) if "--port" in sys.argv else 0


class Sender(WebSocketServerProtocol):  # type: ignore[misc]
    def onOpen(self) -> None:  # noqa: N802 - its name
        self.sendPing(b"are you there")
        for line in LINES:
            self.sendMessage(line, fragmentSize=50_000 if len(line) % 2 else None)
        if BREAKS:
            asyncio.get_running_loop().call_later(0.1, self.transport.abort)

    def onPong(self, payload: bytes) -> None:  # noqa: N802 - its name
        assert payload == b"are you there"
        if not BREAKS and not STAYS:
            self.sendClose(1000)


async def main() -> None:
    factory = WebSocketServerFactory("ws://127.0.0.1")
    factory.protocol = Sender
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", PORT)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
