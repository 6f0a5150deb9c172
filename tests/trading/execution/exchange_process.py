"""`python exchange_process.py PORT_FILE WAY…`: a broker in a process of its own, over a socket.

It keeps its book whatever becomes of who trades with it. Each order meets the next WAY, the last
one for all later orders:

    ok        acknowledged, and filled at the price it names when it is next asked for news
    partial   half of what is left is filled at each asking, the rest when it is one unit
    rest      acknowledged and never filled
    reject    refused with a code
    late      taken, but nothing is said of it before the second asking
    twice     as ok, each piece of news twice
    reversed  as partial, the news in the wrong order, all at once
    mute      taken, but the request is never answered
    lost      never comes in, and the request is not answered
    tardy     as lost, but it comes in after all at the twenty-fifth asking, and is filled as ok
    deaf      acknowledged and never filled; the first cancellation is lost
    stranger  as ok, with news of an order that nobody sent

One JSON object a line each way; `id` of a request is in its answer.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TARDY_ASKINGS = 25  # of the session; it asks each minute from the open on


@dataclass
class Kept:
    """An order as the broker has it, and its news; `said` of them were told."""

    way: str
    asked: dict[str, Any]
    filled: int = 0
    state: str = "OPEN"
    news: list[dict[str, Any]] = field(default_factory=list)
    said: int = 0
    askings: int = 0

    @property
    def left(self) -> int:
        return int(self.asked["quantity"]) - self.filled


class Book:
    """All the broker knows."""

    def __init__(self, ways: list[str]) -> None:
        self.ways, self.orders = ways, dict[str, Kept]()
        self.positions: dict[str, int] = {}
        self.arrivals = 0
        self.asked_after: list[str] = []
        self.under_way: list[dict[str, Any]] = []  # orders that come in later
        self.askings = 0

    def submit(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        way = self.ways[min(self.arrivals, len(self.ways) - 1)]
        self.arrivals += 1
        if way == "tardy":
            self.under_way.append(asked)
        if way in {"lost", "tardy"}:
            return None
        return self._taken_in(asked, way)

    def _taken_in(self, asked: dict[str, Any], way: str) -> dict[str, Any] | None:
        if asked["order"] in self.orders:
            raise SystemExit(f"{asked['order']} was sent twice")
        kept = self.orders[asked["order"]] = Kept(way, asked)
        if way == "reject":
            kept.state = "REJECTED"
            self._tell(kept, "REJECTED", reason="no margin", reason_code="MARGIN")
        else:
            self._tell(kept, "ACKED")
        if way == "mute":
            return None
        return {"news": [] if way in {"late", "reversed"} else self._untold(kept)}

    def cancel(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        kept = self.orders.get(asked["order"])
        if kept is not None and kept.way == "deaf":
            kept.way = "rest"
            return None
        if kept is not None and kept.state == "OPEN":
            kept.state = "CANCELLED"
            self._tell(kept, "CANCELLED", reason="cancelled on request")
        return {"news": [] if kept is None else self._untold(kept)}

    def news(self, asked: dict[str, Any]) -> dict[str, Any]:
        del asked
        self.askings += 1
        while self.under_way and self.askings >= TARDY_ASKINGS:
            self._taken_in(self.under_way.pop(0), "ok")
        found: list[dict[str, Any]] = []
        for kept in self.orders.values():
            found += self._asked(kept)
        return {"news": found}

    def order(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked_after.append(asked["order"])
        kept = self.orders.get(asked["order"])
        return {"news": None if kept is None else kept.news}

    def statement(self, asked: dict[str, Any]) -> dict[str, Any]:
        del asked
        working = [
            {**kept.asked, "filled": kept.filled}
            for kept in self.orders.values()
            if kept.state == "OPEN"
        ]
        return {"orders": working, "positions": self.positions}

    def position(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Somebody trades on the same account."""
        held = self.positions.get(asked["contract"], 0)
        self.positions[asked["contract"]] = held + asked["units"]
        return {}

    def repeat(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Say at the next asking all that was ever said once more."""
        del asked
        for kept in self.orders.values():
            kept.said = 0
        return {}

    def everything(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Every order that came in with its news, the positions, and which orders somebody asked
        after.
        """
        del asked
        orders = [
            {**kept.asked, "state": kept.state, "news": kept.news} for kept in self.orders.values()
        ]
        return {"all": orders, "positions": self.positions, "asked_after": self.asked_after}

    def _asked(self, kept: Kept) -> list[dict[str, Any]]:
        kept.askings += 1
        if kept.state == "OPEN" and kept.way not in {"rest", "late", "deaf"}:
            self._fill(kept, kept.left if kept.way in {"ok", "twice", "mute", "stranger"} else 0)
        if kept.way == "late":
            if kept.askings < 2:
                return []
            if kept.state == "OPEN":
                self._fill(kept, kept.left)
        told = self._untold(kept)
        if kept.way == "twice":
            return [each for each in told for _ in range(2)]
        if kept.way == "reversed":
            while kept.state == "OPEN":
                self._fill(kept, 0)
            return [*self._untold(kept)[::-1], *told[::-1]]
        if kept.way == "stranger" and told:
            return [*told, {**told[-1], "id": f"x-{told[-1]['id']}", "order": "nobody.1"}]
        return told

    def _fill(self, kept: Kept, quantity: int) -> None:
        """Fill some, 0: half of what is left."""
        quantity = quantity or max(1, kept.left // 2)
        kept.filled += quantity
        asked = kept.asked
        sign = 1 if asked["side"] == "BUY" else -1
        held = self.positions.get(asked["contract"], 0)
        self.positions[asked["contract"]] = held + sign * quantity
        kept.state = "OPEN" if kept.left else "FILLED"
        status = "PARTIALLY_FILLED" if kept.left else "FILLED"
        self._tell(kept, status, quantity=quantity, price_paise=asked["price_paise"])

    def _tell(self, kept: Kept, status: str, **said: Any) -> None:
        order = kept.asked["order"]
        report_id = f"b-{order}-{len(kept.news) + 1}"
        kept.news.append(
            {"id": report_id, "order": order, "status": status, "filled": kept.filled, **said}
        )

    def _untold(self, kept: Kept) -> list[dict[str, Any]]:
        news, kept.said = kept.news[kept.said :], len(kept.news)
        return news


def serve(port_file: Path, ways: list[str]) -> None:
    book, lock = Book(ways), threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked is dead
                for line in self.rfile:
                    self._answer(json.loads(line))

        def _answer(self, request: dict[str, Any]) -> None:
            with lock:
                answer = getattr(book, request["do"])(request)
            if answer is not None:
                self.wfile.write(json.dumps({"id": request["id"], **answer}).encode() + b"\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        port_file.with_suffix(".new").write_text(str(server.server_address[1]))
        port_file.with_suffix(".new").replace(port_file)
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
