"""What goes wrong in a worker process; a file of its own, which such a process loads in no time."""

import os
import signal
import struct
from pathlib import Path


def die_while_answering(_task: None) -> None:
    """Write the beginning of an answer of a million bytes to whoever asked, and be killed."""
    for one in Path("/proc/self/fd").iterdir():
        if one.is_symlink() and str(one.readlink()).startswith("socket:"):
            os.write(int(one.name), struct.pack("!i", 1_000_000) + b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)


def divide_by_nothing(number: int) -> float:
    return number / 0
