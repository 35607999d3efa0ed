"""After an error: whose turn it is, and what to try; never once more what the error itself says. Pure."""

from __future__ import annotations

from typing import NamedTuple

from geomill.app.pages import causes, words


class Turn(NamedTuple):
    """whose: turn it is; what: to try."""

    whose: str
    what: str


_YOURS, _SERVERS, _NOBODYS, _OPERATORS = "Your turn", "The server's turn", "Nobody's turn", "The operator's turn"
_CHANGE = Turn(_YOURS, "Change what is named here, and send it again.")
_TURNS = {  # by the kind of an error, or its status
    "immutable-process": Turn(_YOURS, "Deploy one of another name."),
    "foreign-origin": Turn(_YOURS, "Open the page anew from this server itself, and try again there."),
    "changes-refused": Turn(_OPERATORS, "Who is then given that token logs in with it."),
    "job-expired": Turn(_YOURS, "Run its process again, if you need them."),
    "job-not-finished": Turn(_YOURS, "Go back to the page of the job."),
    "result-not-ready": Turn(_NOBODYS, "The page of the job shows how far it is."),
    "result-not-available": Turn(_YOURS, "Run the process again, and ask for what you want."),
    "no-such-upload": Turn(_YOURS, "Send the file once more."),
    "no-such-log": Turn(_YOURS, "Choose one that the page of the job shows."),
    "no-such-version": Turn(_YOURS, "Choose one that it had."),
    "precondition-failed": Turn(_YOURS, "Look at it as it is now, and decide again."),
    "too-many-uploads": Turn(_YOURS, "Use those that you have sent, or remove them."),
    "process-corrupt": Turn(_OPERATORS, "Who may deploy processes can do it, too."),
    401: Turn(_YOURS, "Log in, or ask who runs the server for a token."),
    403: Turn("Somebody else's turn", "Log in as somebody with the right to it, or ask who runs the server."),
    404: Turn(_YOURS, "See whether the address is complete, or look in one of these:"),
    405: Turn(_YOURS, "Go on from one of these:"),
    500: Turn(_SERVERS, "What you did is not wrong. Tell who runs the server."),
}
_CAUSES = {"process-failed": "exception", "job-lost": "lost", "job-corrupt": "corrupt"}  # of other names


def of(status: int, kind: str = "", retry_after: int | None = None, said: str = "") -> Turn:
    """kind: the last part of the type of an error; retry_after: in seconds; said: what the error itself says."""
    if kind in _TURNS:
        return _TURNS[kind]
    cause = causes.CAUSES.get(_CAUSES.get(kind, kind))
    if cause and kind != "bad-input":  # a failed job, of which its results were asked for
        return Turn("What to do", cause.turn)
    if status in (429, 503, 507):
        when = f"in {words.roughly(retry_after)}" if retry_after else "in a while"
        again = "" if "try again" in said else f" Try again {when}, or tell who runs the server."
        return Turn(_SERVERS, f"What you did is not wrong.{again}")
    return _TURNS.get(status, _CHANGE)
