"""A window of a remote raster is read without fetching the rest, from a Python process, by GDAL and its proxy."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.mills import Mill, serving

from geomill.app.config import Settings

np = pytest.importorskip("numpy")
rasterio = pytest.importorskip("rasterio")

PROCESSES = '''
import rasterio
from rasterio.windows import Window
from geomill.processes import process

@process
def corner(href: str) -> list[float]:
    """Mean of a window of a remote raster, and its CRS."""
    with rasterio.open(f"/vsicurl/{href}", driver="GTiff") as scene:
        return [float(scene.read(1, window=Window(2048, 2048, 256, 256)).mean()), scene.crs.to_epsg()]
'''


class Ranges(BaseHTTPRequestHandler):
    """One file, in parts. sent: how many bytes of it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, content: bytes, sent: list[int], *args: Any) -> None:
        self.content, self.sent = content, sent
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path != "/scene.tif":
            self.send_error(404)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2] or len(self.content) - 1)) if asked else (0, len(self.content) - 1)
        body = self.content[first : last + 1]
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(self.content)}")
        self.end_headers()
        if self.command == "GET":
            self.sent.append(len(body))
            with suppress(OSError):
                self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def ranges(content: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[int]]]:
    """A server of one file: its address, and what it has sent."""
    sent: list[int] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, content, sent))
    server.daemon_threads, server.handle_error = True, lambda *_: None  # type: ignore[method-assign]
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}/scene.tif", sent
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A tiled raster of 32 MB of which every tile has its own value."""
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    size, tile = 4096, 256
    numbers = np.arange((size // tile) ** 2, dtype="uint16").reshape(size // tile, -1)
    pixels = np.kron(numbers, np.ones((tile, tile), dtype="uint16"))
    profile = {"driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": "uint16", "crs": "EPSG:32632",
               "tiled": True, "blockxsize": tile, "blockysize": tile}  # fmt: skip
    with rasterio.open(path, "w", **profile, transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as dataset:
        dataset.write(pixels, 1)
    return path.read_bytes()


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("windows")
    (folder / "mine").mkdir()
    (folder / "mine/mine.py").write_text(PROCESSES)
    settings = Settings(home=folder / "home", runtime_dir=folder / "run", processes=(folder / "mine",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
        with serving(settings, shared=True, allow="127.0.0.1") as running:
            yield running


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_window_costs_a_window(mill: Mill, scene: bytes, secured: ssl.SSLContext, scheme: str) -> None:
    with ranges(scene, secured if scheme == "https" else None) as (href, sent):
        reply = mill.call("POST", "/processes/corner/execution", {"inputs": {"href": href}})
        assert (reply.status, reply.json()) == (200, [8 * 16 + 8, 32632]), reply.data
    assert 256 * 256 * 2 <= sum(sent) < len(scene) / 50, (sum(sent), len(scene))
