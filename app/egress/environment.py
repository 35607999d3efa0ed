"""What leads a program to the proxy of its job: the variables that HTTP libraries heed."""

from __future__ import annotations

import os

CERTIFICATES = "SSL_CERT_FILE"
# curl, Python, R, Go, git, ...: some heed the one spelling, some the other; curl the small http_proxy alone
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GDAL_HTTP_PROXY")
# rasterio and pyproj set their own when they are imported, unless these are set
_ALIASES = ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "GDAL_CURL_CA_BUNDLE",
            "PROJ_CURL_CA_BUNDLE")  # fmt: skip


def certificates() -> str | None:
    """The file of certificates that this server trusts instead of the usual."""
    return os.environ.get(CERTIFICATES)


def through(proxy: str) -> dict[str, str]:
    """The variables for a proxy at this address.

    No address is left out (no_proxy): what is allowed is decided by the proxy alone.
    """
    return dict.fromkeys(_PROXIES, proxy)


def trusting(certificates: str | None) -> dict[str, str]:
    """The variables for this file of certificates; none for the usual."""
    return dict.fromkeys((CERTIFICATES, *_ALIASES), certificates) if certificates else {}
