"""Asks a child process that is bounded: it inherits no descriptor and no secret, and a slow one is killed."""

import asyncio
import json
import sys
from typing import Any

# The child computes on one core, and sees nothing of our environment.
CHILD_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
LAST_WORDS_MAX = 500


class ChildEnded(Exception):
    """A child was killed, or ended by a fault; the text says which, for the log."""


async def ask_child(module: str, question: dict[str, Any], seconds_max: float) -> bytes:
    """Run `python -m MODULE`, give it the question as JSON, and return what it printed.

    It is killed too where the caller is cancelled. Raises: ChildEnded.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=CHILD_ENVIRONMENT,
        close_fds=True,
    )
    try:
        async with asyncio.timeout(seconds_max):
            printed, complained = await child.communicate(json.dumps(question).encode())
    except TimeoutError as failure:
        raise ChildEnded(f"killed after {seconds_max:g} s") from failure
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        last_words = complained.decode(errors="replace").strip().rpartition("\n")[2]
        raise ChildEnded(f"child ended with {child.returncode}: {last_words[:LAST_WORDS_MAX]}")
    return printed
