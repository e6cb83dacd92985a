"""Child processes, each a copy of one process that has imported the engine: so it starts within milliseconds.

A child has none of our environment, and of our descriptors only its own end of a pipe, whose other end nobody else
holds: when it dies in the middle of an answer, an end of file is there and nobody waits for the rest.
"""

import asyncio
import json
import multiprocessing
import os
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

STARTER = multiprocessing.get_context("forkserver")
STARTER.set_forkserver_preload(
    ["tollway.engine", "tollway.simulation.execution", "tollway.simulation.reading"]
)
# Read when NumPy is imported: a child computes on one core.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
# A child's files lie where ours do; it needs nothing else to be told, and no secret.
VARIABLES_LEFT = ("TMPDIR",)
# Each waits for one child; who asks has bounds of their own below it.
WAITING_MAX = 64
ANSWER_BYTES_MAX = 200_000_000
LAST_WORDS_MAX = 500
ANSWERED, FAILED = b"+", b"-"

Question = dict[str, Any]


class ChildEnded(Exception):
    """A child was killed, or ended by a fault; the text says which, for the log."""


class Child:
    """One process, which calls `target` with its end of a pipe."""

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        self.ours, self._theirs = STARTER.Pipe()
        self._target, self._arguments = target, arguments
        # Whoever ends it may come while it is being started.
        self._starting = threading.Lock()
        self._is_over = False
        self._process: ForkServerProcess | None = None

    @property
    def process_id(self) -> int | None:
        """None before it was started."""
        return None if self._process is None else self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it was started and goes on."""
        return self._process is not None and self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """Negative where a signal ended it; None where it goes on, or was not started."""
        return None if self._process is None else self._process.exitcode

    def start(self) -> None:
        """Start it, once; the first of all waits until the engine is imported. Raises: EOFError after `end`."""
        with self._starting:
            if self._is_over:
                raise EOFError("it was ended before it began")
            if self._process is None:
                for name in ONE_THREAD:
                    os.environ.setdefault(name, "1")
                process = STARTER.Process(
                    target=_begin, args=(self._target, self._theirs, *self._arguments), daemon=True
                )
                process.start()
                self._process = process
                # Now only the process holds that end, and it closes when the process dies.
                self._theirs.close()

    def end(self) -> None:
        """Kill it, and wait until it is gone; whoever waits for its answer finds the end of a file."""
        with self._starting:
            self._is_over = True
            self._theirs.close()
            if self._process is not None:
                # One that is gone has no process id any more: another process may have it.
                if self._process.is_alive():
                    self._process.kill()
                self._process.join()


async def ask_child(function: Callable[[Question], Any], question: Question, seconds_max: float) -> Any:
    """Call a module's function in a child that ends with it, and return the answer, which came as JSON.

    It is killed too where the caller is cancelled. Raises: ChildEnded.
    """
    child = Child(_answer, function, question)
    waiting = asyncio.get_running_loop().run_in_executor(_threads, _receive, child)
    try:
        async with asyncio.timeout(seconds_max):
            told = await waiting
    except TimeoutError as failure:
        raise ChildEnded(f"killed after {seconds_max:g} s") from failure
    except (EOFError, OSError) as failure:
        child.end()
        raise ChildEnded(f"child ended with {child.exit_code}") from failure
    finally:
        child.end()
    if told[:1] == FAILED:
        raise ChildEnded(f"child failed: {told[1:].decode(errors='replace')}")
    return json.loads(told[1:])


_threads = ThreadPoolExecutor(WAITING_MAX, thread_name_prefix="child")


def _receive(child: Child) -> bytes:
    child.start()
    # Bytes, not objects: to read what a workbook may have made of the child must not be able to do anything.
    return child.ours.recv_bytes(ANSWER_BYTES_MAX)


# --- inside a child ------------------------------------------------------------------------------------


def _begin(target: Callable[..., None], *arguments: Any) -> None:
    left = {name: os.environ[name] for name in VARIABLES_LEFT if name in os.environ}
    os.environ.clear()
    os.environ |= left
    target(*arguments)


def _answer(ours: "Connection[Any, Any]", function: Callable[[Question], Any], question: Question) -> None:
    try:
        told = ANSWERED + json.dumps(function(question)).encode()
    except Exception as failure:  # noqa: BLE001 - whatever went wrong is told to whoever asked
        last_words = traceback.format_exception_only(failure)[-1].strip()
        told = FAILED + last_words[:LAST_WORDS_MAX].encode(errors="replace")
    ours.send_bytes(told)
