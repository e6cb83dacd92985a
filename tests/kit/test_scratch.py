"""Temporary files go with their process, even with one that was killed."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tollway.kit.scratch import scratch_folder

CHILD = """
import sys, tempfile
from pathlib import Path
from tollway.kit.scratch import scratch_folder

with scratch_folder(Path(sys.argv[1])):
    folder = tempfile.mkdtemp(prefix="left-")
    (Path(folder) / "file").write_bytes(bytes(1000))
    print(folder, flush=True)
    sys.stdin.read()
"""


def start(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    parent = tmp_path / "scratch"
    killed, left = start(parent)
    living, kept = start(parent)
    killed.kill()
    end(killed)
    assert left.exists()
    with scratch_folder(parent) as mine:
        assert not left.exists()
        assert (kept / "file").exists()
        assert mine.stat().st_mode & 0o777 == 0o700
    # It ends in order: it leaves nothing.
    end(living)
    assert list(parent.iterdir()) == []


def test_temporary_files_of_the_process_and_its_children_are_there(tmp_path: Path) -> None:
    before = tempfile.gettempdir(), os.environ.get("TMPDIR")
    with scratch_folder(tmp_path) as folder:
        with tempfile.TemporaryDirectory() as made:
            assert Path(made).parent == folder
        script = "import tempfile; print(tempfile.gettempdir())"
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == str(folder)
    assert (tempfile.gettempdir(), os.environ.get("TMPDIR")) == before
