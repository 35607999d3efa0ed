"""What the standard decides about a request and its answer: pure functions; what needs IO is handed in as a callable.

request.py and inputs.py lead from a body and a process description to arguments, prefer.py and accept.py read the
headers of the same names, outputs.py leads from results to an answer. Knows neither Flask nor the store's folders.
"""


class InvalidRequest(ValueError):
    """The body of a request is not what the standard describes; the message says what to send instead."""


class NotAcceptable(ValueError):
    """None of the media types that the client accepts can be given; the message names those that can."""
