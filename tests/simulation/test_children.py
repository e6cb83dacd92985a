"""Children: what they see of us, what they answer, and that none outlives whoever asked."""

import asyncio
import os
from pathlib import Path

import pytest
from tests.simulation.child_tasks import (
    answer_what_is_not_json,
    die,
    go_wrong,
    tell_surroundings,
    write_and_wait,
)
from tests.simulation.conftest import wait_until

from tollway.simulation.children import VARIABLES_LEFT, Child, ChildEnded, ask_child

SECONDS = 60.0


async def test_a_child_has_neither_our_environment_nor_our_descriptors(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    with secret.open("w") as opened:
        os.set_inheritable(opened.fileno(), True)
        told = await ask_child(tell_surroundings, {}, SECONDS)
    assert "PATH" in os.environ
    assert set(told["variables"]) <= set(VARIABLES_LEFT)
    assert str(secret) not in told["opened"]
    assert told["process"] != os.getpid()


async def test_each_question_has_a_child_of_its_own_that_ends_with_it() -> None:
    told = await asyncio.gather(*(ask_child(tell_surroundings, {}, SECONDS) for _ in range(5)))
    ids = {one["process"] for one in told}
    assert len(ids) == 5
    assert not any(Path(f"/proc/{one}").exists() for one in ids)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (go_wrong, "child failed: ValueError: not right"),
        (die, "child ended with -9"),
        (answer_what_is_not_json, "child failed: TypeError: Object of type object is not JSON serializable"),
    ],
)
async def test_a_child_that_fails_is_told(function: object, says: str) -> None:
    with pytest.raises(ChildEnded) as ended:
        await ask_child(function, {"what": "right"}, SECONDS)  # type: ignore[arg-type]
    assert str(ended.value) == says


async def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    written = tmp_path / "process"
    with pytest.raises(ChildEnded, match="killed after 2 s"):
        await ask_child(write_and_wait, {"path": str(written)}, 2)
    assert not Path("/proc", written.read_text()).exists()


async def test_one_that_nobody_waits_for_any_more_is_killed(tmp_path: Path) -> None:
    written = tmp_path / "process"
    asking = asyncio.ensure_future(ask_child(write_and_wait, {"path": str(written)}, SECONDS))

    async def begun() -> bool:
        return written.exists() and bool(written.read_text())

    await wait_until(begun)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not Path("/proc", written.read_text()).exists()


def test_one_that_was_ended_before_it_began_never_begins() -> None:
    child = Child(print)
    child.end()
    with pytest.raises(EOFError):
        child.start()
    assert child.process_id is None
