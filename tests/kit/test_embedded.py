"""The embedded database belongs to its owner alone, and survives every interruption of its start."""

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tollway.kit.embedded import EmbeddedPostgres, EmbeddedPostgresFailed

AS_ROOT = os.geteuid() == 0
STARTER = """
import sys
from pathlib import Path
from tollway.kit.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
print("started", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedPostgres]:
    """A server that the tests only look at."""
    folder = fresh_folder()
    server = EmbeddedPostgres(folder)
    assert server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that the server's account can reach; whatever still runs in it afterwards is ended."""
    made = fresh_folder()
    yield made
    EmbeddedPostgres(made).stop()
    shutil.rmtree(made)


def fresh_folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="tollway-embedded-"))
    made.chmod(0o711)
    return made


def value_in(server: EmbeddedPostgres, query: str) -> object:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def as_another_user(act: Callable[[], object]) -> str:
    """Run `act` as the user `nobody` in a process of its own; return what it gave or how it failed."""
    nobody = pwd.getpwnam("nobody")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            told = f"gave {act()}"
        except BaseException as failure:  # noqa: BLE001 - the parent compares whatever it was
            told = f"{type(failure).__name__}: {failure}"
        os.write(write_end, told.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told_by_child:
        told = told_by_child.read()
    os.waitpid(child, 0)
    return told


# Whose it is --------------------------------------------------------------------------------------


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user; the modes are tested below")
def test_another_system_user_cannot_connect(shared: EmbeddedPostgres) -> None:
    url = shared.url  # password included: even whoever has it must not reach the socket
    socket_file = socket_folder_of(shared) / ".s.PGSQL.5432"
    assert socket_file.is_socket()

    def connect() -> str:
        psycopg.connect(url, connect_timeout=3).close()
        return "a connection"

    def connect_to_the_socket() -> str:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.connect(str(socket_file))
        return "a connection"

    assert "Permission denied" in as_another_user(connect)
    assert "Permission denied" in as_another_user(connect_to_the_socket)
    assert "Permission denied" in as_another_user((shared.folder / "database-password").read_text)
    assert "Permission denied" in as_another_user(lambda: list(shared.cluster.iterdir()))
    assert "Permission denied" in as_another_user(shared.log_file.read_text)


def test_every_folder_and_file_is_closed_to_others(shared: EmbeddedPostgres) -> None:
    assert mode_of(socket_folder_of(shared)) == 0o700
    assert mode_of(shared.cluster) == 0o700
    for name in ("database-password", "database.owner", "database.log"):
        assert mode_of(shared.folder / name) == 0o600, name
    assert not list(socket_folder_of(shared).glob("*password*")), "initdb's copy is gone"


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(shared: EmbeddedPostgres, password: str) -> None:
    host = str(socket_folder_of(shared))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=host, user="tollway", dbname="tollway", password=password)


def test_every_kind_of_connection_needs_a_password_and_none_comes_over_the_network(
    shared: EmbeddedPostgres,
) -> None:
    with psycopg.connect(shared.url) as connection:
        rules = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256",)]
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW unix_socket_permissions").fetchone() == ("0700",)


def test_the_server_sorts_by_code_point_and_speaks_utf_8(shared: EmbeddedPostgres) -> None:
    assert value_in(shared, "SHOW server_encoding") == "UTF8"
    assert value_in(shared, "SELECT lower('ÄÖ') || ('a' < 'B')::text") == "äöfalse"


def test_no_permission_of_a_parent_changes(folder: Path) -> None:
    parents = [folder / "a" / "b", folder / "a", folder, *folder.parents]
    (folder / "a" / "b").mkdir(parents=True)
    for parent in parents[:2]:
        parent.chmod(0o751)
    before = [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in parents]
    server = EmbeddedPostgres(folder / "a" / "b" / "data")
    server.start()
    server.stop()
    assert [(path, path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in parents] == before


@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user's own folders are always reachable to it")
def test_a_parent_that_the_account_cannot_enter_is_named_not_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresFailed, match="cannot enter") as refused:
        EmbeddedPostgres(closed / "data").start()
    assert "TOLLWAY_DATA" in str(refused.value)
    assert mode_of(closed) == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="root is the one who may write everywhere")
def test_an_unwritable_folder_gives_one_sentence(tmp_path: Path) -> None:
    blocked = fresh_folder()
    blocked.chmod(0o755)
    try:
        told = as_another_user(lambda: EmbeddedPostgres(blocked / "data").start())
        assert told.startswith("EmbeddedPostgresFailed: The data folder")
        assert "cannot be written" in told
        assert "TOLLWAY_DATA" in told
        assert "\n" not in told
    finally:
        blocked.rmdir()


def test_a_file_in_the_place_of_the_folder_gives_one_sentence(folder: Path) -> None:
    (folder / "data").write_text("not a folder")
    with pytest.raises(EmbeddedPostgresFailed, match="cannot be used"):
        EmbeddedPostgres(folder / "data").start()


# Starting and stopping ----------------------------------------------------------------------------


def test_what_was_committed_is_there_after_a_restart(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    assert first.start()
    with psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    first.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.url)
    second = EmbeddedPostgres(folder)
    assert second.start()
    assert value_in(second, "SELECT number FROM kept") == 7
    second.stop()


def test_a_second_start_joins_the_first_and_leaves_it_to_it(folder: Path) -> None:
    first = EmbeddedPostgres(folder)
    assert first.start()
    second = EmbeddedPostgres(folder)
    assert not second.start(), "it is the first one's to stop"
    assert second.url == first.url
    assert value_in(second, "SELECT 1") == 1
    first.stop()


def test_two_processes_that_start_at_once_agree_on_one_server(folder: Path) -> None:
    children = [spawn_starter(folder) for _ in range(2)]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == b"started\n"
        assert value_in(EmbeddedPostgres(folder), "SELECT 1") == 1
    finally:
        for child in children:
            end(child)


@pytest.mark.timeout(60)
def test_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    deep = folder / ("long" * 20) / ("longer" * 20)
    server = EmbeddedPostgres(deep)
    elsewhere = Path()
    try:
        assert server.start()
        elsewhere = socket_folder_of(server)
        assert value_in(server, "SELECT 1") == 1
        assert mode_of(elsewhere) == 0o700
        assert elsewhere == socket_folder_of(EmbeddedPostgres(deep)), "the next process finds it"
    finally:
        server.stop()
        shutil.rmtree(elsewhere)


def test_a_folder_of_the_same_name_that_another_made_is_not_used(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    (folder / "elsewhere").mkdir()
    (folder / "run").symlink_to(folder / "elsewhere")
    with pytest.raises(EmbeddedPostgresFailed, match="belongs to another user"):
        server.start()


# Interrupted --------------------------------------------------------------------------------------


def test_a_start_that_is_killed_while_it_makes_the_cluster_is_repaired_by_the_next(folder: Path) -> None:
    child = spawn_starter(folder)
    wait_for((folder / "database.partial" / "base").exists, child)
    end(child)
    assert not (folder / "database" / "PG_VERSION").exists(), "killed in the middle, as this test means to"
    server = EmbeddedPostgres(folder)
    # At once: initdb may still be at work for the one that was killed.
    assert server.start()
    assert value_in(server, "SELECT 1") == 1
    server.stop()


def test_a_start_that_is_killed_while_the_server_comes_up_is_taken_over(folder: Path) -> None:
    child = spawn_starter(folder)
    wait_for((folder / "database" / "postmaster.pid").exists, child)
    end(child)
    server = EmbeddedPostgres(folder)
    assert server.start(), "its starter is dead, so it is ours to stop"
    assert value_in(server, "SELECT 1") == 1
    server.stop()
    assert not (folder / "database" / "postmaster.pid").exists()


def test_a_server_whose_owner_was_killed_is_stopped_by_the_next_owner(folder: Path) -> None:
    child = spawn_starter(folder)
    assert child.stdout is not None
    assert child.stdout.readline() == b"started\n"
    end(child)
    server = EmbeddedPostgres(folder)
    assert server.start()
    server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


@pytest.mark.parametrize(
    "moment", ["database.partial/base", "database/PG_VERSION", "database/postmaster.pid"]
)
def test_ctrl_c_at_any_moment_leaves_nothing_running_and_the_next_start_works(
    folder: Path, moment: str
) -> None:
    child = spawn_starter(folder)
    wait_for((folder / moment).exists, child)
    child.send_signal(signal.SIGINT)
    child.wait(timeout=20)
    end(child)
    assert not (folder / "database" / "postmaster.pid").exists(), "no server is left behind"
    server = EmbeddedPostgres(folder)
    assert server.start()
    assert value_in(server, "SELECT 1") == 1
    server.stop()


def test_a_half_made_cluster_is_put_aside_never_deleted(folder: Path) -> None:
    (folder / "database").mkdir()
    (folder / "database" / "somebody's data").write_text("precious")
    server = EmbeddedPostgres(folder)
    assert server.start()
    assert value_in(server, "SELECT 1") == 1
    server.stop()
    (aside,) = folder.glob("database.incomplete-*")
    assert (aside / "somebody's data").read_text() == "precious"


def test_a_server_that_was_killed_comes_back_with_what_it_had_committed(folder: Path) -> None:
    child = spawn_starter(folder)
    assert child.stdout is not None
    assert child.stdout.readline() == b"started\n"
    server = EmbeddedPostgres(folder)
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    process_id = int((folder / "database" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(process_id, signal.SIGKILL)
    # Nobody may ever reap it: the starter is killed as well, and some containers have no init.
    wait_for(lambda: not is_running(process_id), None)
    end(child)
    assert server.start()
    assert value_in(server, "SELECT number FROM kept") == 7
    server.stop()


def test_a_number_left_by_a_crash_that_is_a_strangers_now_is_not_taken_for_the_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        pid_file = folder / "database" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{folder / 'database'}\n1\n5432\n\n\n\n")
        server.stop()
        assert stranger.poll() is None, "a stranger was stopped"
        assert server.start()
        server.stop()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()


def spawn_starter(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def end(child: subprocess.Popen[bytes]) -> None:
    """kill -9, and close the pipes."""
    child.kill()
    child.communicate()


def wait_for(holds: Callable[[], bool], child: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        assert child is None or child.poll() is None, "the starter ended by itself"
        time.sleep(0.002)


def is_running(process_id: int) -> bool:
    status = Path(f"/proc/{process_id}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def socket_folder_of(server: EmbeddedPostgres) -> Path:
    return Path(parse_qs(urlsplit(server.url).query)["host"][0])


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
