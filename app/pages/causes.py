"""Why jobs fail, in words for people: what each cause means, and whose turn it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

AGAIN = "Nothing is wrong with the request: run it again."
INPUT = "Change the inputs that the message names, and run it again."
PROCESS = "If the inputs are right, it is the turn of whoever made the process: the log says where it stopped."
SMALLER = "Ask for less (a smaller area, a coarser grid), or have whoever runs this server raise the limit."
OPERATOR = "It is the turn of whoever runs this server."


@dataclass(frozen=True)
class Cause:
    """means: what happened; turn: who can do what about it."""

    means: str
    turn: str


CAUSES = {  # by StatusInfo.cause
    "exception": Cause("The process stopped with an error of its own.", f"{INPUT} {PROCESS}"),
    "exit": Cause("The program of the process ended and said that it had failed.", f"{INPUT} {PROCESS}"),
    "signal": Cause("The program of the process was ended from outside, or crashed.", PROCESS),
    "bad-input": Cause("The process found that an input is not what it can work with.", INPUT),
    "result": Cause("The process ended well, but what it gave is not what its description promises.", PROCESS),
    "lost": Cause("The program that ran the job went away before the job ended.", AGAIN),
    "rebooted": Cause("The host was restarted while the job ran.", AGAIN),
    "terminated": Cause("The server was told to end its jobs.", AGAIN),
    "disk-full": Cause("The disk of the server filled up while the job ran.", f"{OPERATOR} Then run it again."),
    "corrupt": Cause("A file of the job cannot be read any more.", f"{OPERATOR} The same request can be run again."),
    "publish": Cause("The results could not be copied to where others were to find them.", f"{OPERATOR} {AGAIN}"),
    "time-limit": Cause("The job ran longer than it may, and was stopped.", SMALLER),
    "cpu-limit": Cause("The job used more processor time than it may, and was stopped.", SMALLER),
    "out-of-memory": Cause("The job wanted more memory than it may have, and was stopped.", SMALLER),
    "process-limit": Cause("The job started more processes than it may.", f"{PROCESS} {SMALLER}"),
    "file-limit": Cause("The job opened more files at a time than it may.", PROCESS),
    "work-limit": Cause("The job put more into its working directory than it may.", SMALLER),
    "output-limit": Cause("The job gave larger results than it may.", SMALLER),
}
UNKNOWN = Cause("The process failed.", PROCESS)


def of(cause: str | None) -> Cause:
    """What a cause means."""
    return CAUSES.get(cause or "", UNKNOWN)
