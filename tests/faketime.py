"""A wall clock that tests set while a process runs: Debian's libfaketime, before the process's own library."""

from dataclasses import dataclass
from pathlib import Path

MISSING = "These tests set the clock of a real process: apt-get install -y faketime"
FOLDERS = (Path("/usr/lib"), Path("/usr/local/lib"))


def find_library() -> Path:
    """Return where libfaketime lies; fails with the command that installs it."""
    for folder in FOLDERS:
        for found in sorted(folder.glob("**/faketime/libfaketimeMT.so.1")):
            return found
    raise AssertionError(MISSING)


@dataclass(frozen=True)
class WallClock:
    """The wall clock of the processes that `environment` is given to; clocks that never jump run on as they are."""

    file: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(find_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            # It is looked at again at each reading of the clock.
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds_ahead: int) -> None:
        """Set it so many seconds ahead of the true time, or behind it."""
        # Never half written: it may be read at any moment.
        written = self.file.with_suffix(".new")
        written.write_text(f"{seconds_ahead:+d}\n")
        written.replace(self.file)
