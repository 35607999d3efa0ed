"""Documents that are asked for again and again: the same content at the same address is written once.

Nothing here grows stale: a view reads what its document follows from at every request, as it would anyway, and only the
writing of it, marshmallow, links, JSON and ETag, is spared when that is what it was the last time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from flask import Response, current_app, g, jsonify

from geomill.app import links
from geomill.app.asked import asked
from geomill.app.negotiation import JSON

if TYPE_CHECKING:
    from geomill.app.server import Geomill

MOST = 8 * 2**20  # bytes of documents that a worker keeps
BESIDE = 2000  # bytes that each takes beside its body, about


class Written:
    """The bodies and ETags of the documents that were wanted last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[bytes, str]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> tuple[bytes, str] | None:
        """What was written for this."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, body: bytes, etag: str) -> None:
        """Keep it, and give up what was wanted longest ago."""
        with self._lock:
            if key in self._kept or len(body) + BESIDE > MOST:
                return
            self._kept[key] = body, etag
            self._size += len(body) + BESIDE
            while self._size > MOST:
                _, (gone, _) = self._kept.popitem(last=False)
                self._size -= len(gone) + BESIDE


def once(made_of: Hashable, make: Callable[[], dict[str, Any]]) -> Any:
    """A document in JSON as it is sent, written if it is not yet; the document itself where a page is made of it.

    made_of: all that it follows from but settings and the address of the request, among that what tells which document
    of this address it is.
    """
    if g.media_type != JSON:
        return make()
    app, environ = cast("Geomill", current_app), asked().environ
    key = made_of, links.root(), environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    found = app.written.get(key)
    if found is None:
        response = jsonify(make())
        response.add_etag()
        found = response.get_data(), response.headers["ETag"]
        app.written.put(key, *found)
    body, name = found
    return Response(body, headers={"ETag": name}, content_type=JSON)
