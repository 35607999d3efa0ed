"""A web server on a loopback address that gives what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

Page = tuple[int, Mapping[str, str], bytes]  # status, headers, body


@contextmanager
def pages(given: Mapping[str, Page], heard: list[Mapping[str, str]] | None = None) -> Iterator[str]:
    """Serve pages by their paths, and 404 for all others: the address, without a slash at the end.

    heard: takes down the headers of the requests.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if heard is not None:
                heard.append(dict(self.headers))
            status, headers, body = given.get(self.path, (404, {}, b"nothing here"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Called for each request."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


@contextmanager
def served(server: TCPServer) -> Iterator[str]:
    """Have a server of this host serve until this ends: its address, without a slash at the end."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
