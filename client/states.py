"""What a status document says of a job, in the words of the standard."""

from __future__ import annotations

from geomill.client.reply import Json

OVER = {"successful", "failed", "dismissed"}  # the states of a job that has ended; a strange word is none of them
OTHER_WORDS = {  # of the 2.0 draft, and of servers that came before the standard
    "created": "accepted", "pending": "accepted", "queued": "accepted", "submitted": "accepted",
    "started": "running", "paused": "running", "finishing": "running", "in progress": "running",
    "succeeded": "successful", "success": "successful", "completed": "successful", "finished": "successful",
    "error": "failed", "exception": "failed", "rejected": "failed",
    "canceled": "dismissed", "cancelled": "dismissed", "aborted": "dismissed", "revoked": "dismissed",
}  # fmt: skip


def state(status: Json) -> str:
    """accepted, running, successful, failed or dismissed; another word as it came."""
    word = str(status.get("status")).lower()
    return OTHER_WORDS.get(word, word)


def is_over(status: Json) -> bool:
    """Whether a job has ended."""
    return state(status) in OVER


def percent(status: Json) -> int | None:
    """How far a job is, from 0 to 100, if the service says so."""
    value = status.get("progress")
    try:
        return max(0, min(100, int(value))) if isinstance(value, int | float) else None
    except (ValueError, OverflowError):  # NaN and the infinite
        return None
