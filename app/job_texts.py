"""The documents of jobs as JSON text, for lists: what is the same for many is made once.

A document follows from the status alone, but for the address of the landing page, by which callers know the server
differently: it is kept without that. Its links are those of any job in this state, but for the id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from geomill.app import links
from geomill.app.schemas import StatusInfoSchema
from geomill.jobstore import Status, StatusInfo

MOST = 1000  # documents that are kept, of about two kilobytes each
_ROOT = "\0"  # in place of the address of the landing page: a character that JSON text has not
_JOB, _RETRIED = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"  # in place of ids
_EVER = datetime.fromtimestamp(0, UTC)
_MEMBERS = StatusInfoSchema(exclude=["links"])


class JobTexts:
    """Those of one application. To be asked in a request."""

    def __init__(self) -> None:
        self._document = lru_cache(MOST)(_document)

    def listed(self, jobs: Iterable[StatusInfo]) -> str:
        """The documents of jobs, with commas between. statusInfo.yaml"""
        return ",".join(map(self._document, jobs)).replace(_ROOT, _root())


def text(content: Any) -> str:
    """JSON as short as can be."""
    return json.dumps(content, separators=(",", ":"))


def _document(status: StatusInfo) -> str:
    listed = _links(status.status, status.expired is not None, status.retry_of is not None)
    listed = listed.replace(_JOB, status.job_id).replace(_RETRIED, status.retry_of or "")
    return f'{text(_MEMBERS.dump(status))[:-1]},"links":{listed}}}'


@lru_cache
def _links(state: Status, expired: bool, retry: bool) -> str:
    """The links of any job like this: addresses below the landing page are those of every application."""
    like = StatusInfo(
        _JOB, "", "", _EVER, state, expired=_EVER if expired else None, retry_of=_RETRIED if retry else None
    )
    return text(links.of_job(like)).replace(f'"href":"{_root()}', f'"href":"{_ROOT}')


def _root() -> str:
    """The address of the landing page without the slash at its end, as JSON has it between quotes."""
    return text(links.to("landing.show").removesuffix("/"))[1:-1]
