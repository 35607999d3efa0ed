"""One run of chaos: a server, clients, an agent, a verdict."""

from __future__ import annotations

import random
import shutil
import threading
import time

from chaos.agent import Agent
from chaos.checker import judge
from chaos.load import Book, Client, deploy
from chaos.modes import MODES
from chaos.server import ended, fresh


def chaos(
    mode: str, kills: int, seed: int, clients: int, only: frozenset[str] = frozenset(), *, keep: bool = False
) -> tuple[str, dict[str, list[str]]]:
    """(the figures, what is wrong) of one run."""
    begun = time.monotonic()
    how = dict(MODES[mode])
    book, enough = Book(), threading.Event()
    with fresh(**how) as server, ended(server):
        try:
            agent = Agent(server, kills, random.Random(seed), only)
            deploy(server.url)
            crowd = [Client(server.url, book, random.Random(seed + number)) for number in range(1, clients + 1)]
            threads = [threading.Thread(target=client.run, args=(enough,)) for client in crowd]
            for thread in threads:
                thread.start()
            agent.run(enough)
            calm = time.monotonic()
            for thread in threads:
                thread.join()
            if agent.error:
                raise agent.error
            verdict = judge(server, agent, book, how["user"])
        finally:
            enough.set()
    if not keep and not verdict.found:
        shutil.rmtree(server.root, ignore_errors=True)
    lines = {
        "kills": agent.killed,
        "hits": ", ".join(f"{name} {count}" for name, count in sorted(agent.done.items())),
        "clients did": ", ".join(f"{name} {count}" for name, count in sorted(book.done.items())),
        "jobs promised": len(book.promises),
        "of them removed": sum(promise.removed for promise in book.promises),
        "jobs by end": ", ".join(f"{name} {count}" for name, count in sorted(verdict.ends.items())),
        **{name: len(getattr(verdict, name)) for name in ("lost", "duplicated", "stuck", "leftovers", "wrong")},
        "home": server.root if keep or verdict.found else "removed",
        "seconds": f"{time.monotonic() - begun:.0f}, {time.monotonic() - calm:.0f} of them after the last kill",
    }
    return "\n".join(f"  {name:<16} {value}" for name, value in lines.items()), verdict.found
