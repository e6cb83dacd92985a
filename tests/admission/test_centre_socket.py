"""What only the centre behind a socket can go through: restarts, strangers, and lines that are none."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from tollway.admission.centre import CentreGone, Hold, Lease, Leased
from tollway.admission.centre_socket import (
    CentreServer,
    SocketCentre,
    SocketPathTooLong,
    read_questions,
    socket_path,
)
from tollway.admission.rate_file import RateFile, RatesInUse

LEASE = Lease("x", 10, 60, 10, 7, 1)


async def units(centre: SocketCentre) -> int:
    (answer,) = await centre.ask([LEASE])
    return Leased(*answer).units


async def test_only_its_own_account_may_connect(tmp_path: Path) -> None:
    server = CentreServer(tmp_path)
    await server.start()
    assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) == 0o600
    with pytest.raises(RatesInUse):
        await CentreServer(tmp_path).start()
    await server.close()
    assert not socket_path(tmp_path).exists()


async def test_a_restart_in_order_keeps_what_was_spent_and_what_runs(tmp_path: Path) -> None:
    first = CentreServer(tmp_path)
    await first.start()
    centre = SocketCentre(socket_path(tmp_path))
    assert await units(centre) == 7
    assert await centre.ask([Hold("x", "a", 1)]) == [(1,)]
    await first.close()
    with pytest.raises(CentreGone):
        await centre.ask([])
    second = CentreServer(tmp_path)
    await second.start()
    assert await units(centre) == 3
    assert await centre.ask([Hold("x", "b", 1), Hold("y", "b", 1)]) == [(0,), (1,)]
    await centre.close()
    await second.close()


async def test_after_a_kill_nothing_is_given_that_did_not_come_in(tmp_path: Path) -> None:
    killed = RateFile(tmp_path)
    killed.open()
    killed.release()
    socket_path(tmp_path).touch()
    server = CentreServer(tmp_path)
    await server.start()
    centre = SocketCentre(socket_path(tmp_path))
    assert await units(centre) == 0
    ((held, wait_us),) = await centre.ask([Hold("x", "a", 1)])
    assert held == 0
    assert wait_us > 0, "until it is known what runs"
    await centre.close()
    await server.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"{}",
        b"[1]",
        b"[[]]",
        b'[["steal", "x"]]',
        b'[["lease", "x"]]',
        b'[["lease", "x", 10, 60, 10, -5, 1]]',
        b'[["lease", "x", 10, 60, 10, "5", 1]]',
        b'[["hold", 1, "x", 1]]',
        json.dumps([["release", "x" * 400, "y"]]).encode(),
        json.dumps([["sweep", 1]] * 501).encode(),
    ],
)
async def test_a_line_that_is_no_question_ends_that_connection_alone(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_questions(line)
    server = CentreServer(tmp_path)
    await server.start()
    reader, writer = await asyncio.open_unix_connection(str(socket_path(tmp_path)))
    writer.write(line + b"\n")
    assert await reader.read() == b""
    writer.close()
    centre = SocketCentre(socket_path(tmp_path))
    assert await units(centre) == 7
    await centre.close()
    await server.close()


def test_a_path_that_no_socket_can_have_is_said_in_one_sentence() -> None:
    with pytest.raises(SocketPathTooLong, match="TOLLWAY_DATA"):
        socket_path(Path("/" + "x" * 110))
