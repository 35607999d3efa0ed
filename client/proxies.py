"""The way to a server: by the proxy that the environment names, or straight."""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.util import make_headers, parse_url

from geomill.client.errors import InputError
from geomill.client.reply import origin


class Ways:
    """Connections, by the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; none to this host has a proxy."""

    def __init__(self, **options: Any) -> None:
        """options: of urllib3.PoolManager."""
        self._straight = urllib3.PoolManager(**options)
        self._through = cache(lambda proxy: _through(proxy, options))

    def to(self, url: str) -> urllib3.PoolManager:
        """The connections that lead to a URL. Raises InputError for a proxy that is none."""
        scheme, host, port = origin(url)
        named = getproxies()
        proxy = named.get(scheme) or named.get("all")
        if not proxy or is_of_this_host(host) or proxy_bypass(f"{host}:{port}"):
            return self._straight
        manager: urllib3.PoolManager = self._through(proxy)
        return manager


def is_of_this_host(host: str) -> bool:
    """Whether a name or an address is that of the loopback interface."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _through(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    """Connections through a proxy, which may want a name and a password."""
    try:
        found = parse_url(proxy if "://" in proxy else f"http://{proxy}")
        headers = make_headers(proxy_basic_auth=unquote(found.auth)) if found.auth else None
        return urllib3.ProxyManager(found._replace(auth=None).url, proxy_headers=headers, **options)
    except (ValueError, urllib3.exceptions.HTTPError, AssertionError):  # which may name the password
        raise InputError("the variables for a proxy (HTTP_PROXY, HTTPS_PROXY): expected http://HOST:PORT") from None
