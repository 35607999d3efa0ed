"""Why there was no answer, or only a part of one."""

from __future__ import annotations

import http.client
import re
import ssl

from urllib3 import exceptions

from geomill.client.show import size


def cause(error: BaseException) -> str:
    """The innermost reason in words, without the objects that urllib3 names."""
    if isinstance(error, exceptions.MaxRetryError) and error.reason is not None:
        return cause(error.reason)
    if isinstance(error, exceptions.ProxyError):
        return f"the proxy: {cause(error.original_error)}"
    if isinstance(error, exceptions.IncompleteRead) and error.expected is not None:
        return f"the connection ended after {size(error.partial)}, with {size(error.expected)} more to come"
    if isinstance(error, http.client.IncompleteRead):  # of one chunk
        return "the connection ended before the answer did"
    if isinstance(error, ssl.SSLError):
        return "TLS: " + re.sub(r"^\[[^]]*\] | ?\(_ssl\.c:\d+\)$", "", str(error.args[-1]))
    if isinstance(error, exceptions.NewConnectionError) and isinstance(error.__cause__, OSError):
        return cause(error.__cause__)
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    for inner in error.args:
        if isinstance(inner, BaseException):
            return cause(inner)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rpartition(": ")[2] or type(error).__name__
