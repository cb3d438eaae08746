"""How a child process learns that `serve` is gone: its standard input is a pipe that only `serve` holds open."""

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Stop this process in its orderly way once standard input ends, whatever ended the parent (kill -9 too)."""
    threading.Thread(target=_wait, daemon=True, name="lifeline").start()


def _wait() -> None:
    # the descriptor itself: a buffered reader that is still waiting at exit would abort the interpreter
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
