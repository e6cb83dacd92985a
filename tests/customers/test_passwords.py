import asyncio

import pytest

from tollway.customers.entities import password_fault
from tollway.customers.passwords import Passwords
from tollway.kit.problems import Unavailable


@pytest.fixture
def passwords():
    opened = Passwords(at_once_max=1, waiting_max=2)
    yield opened
    opened.close()


@pytest.mark.promise("X7")
async def test_a_password_is_kept_as_argon2id_and_recognised(passwords):
    kept = await passwords.hash("correct horse battery")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.matches("correct horse battery", kept)
    assert not await passwords.matches("correct horse batterz", kept)
    assert not await passwords.matches("correct horse battery", None)


async def test_a_full_queue_says_so_instead_of_growing(passwords):
    answers = await asyncio.gather(
        *(passwords.matches("correct horse battery", None) for _ in range(5)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 2
    assert refused[0].retry_after_seconds == 3
    assert answers.count(False) == 3
    assert await passwords.matches("correct horse battery", None) is False


async def test_one_that_gives_up_waiting_frees_its_place(passwords):
    tasks = [asyncio.create_task(passwords.matches("correct horse battery", None)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.wait(tasks)
    assert await passwords.matches("correct horse battery", None) is False


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "qwertyuiop",
        "1234567890",
        "Passw0rd2024",
        "aaaaaaaaaaaa",
        "exampleltd1",
        "ana@example.com1",
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    assert password_fault(password, "ana@example.com", "Example Ltd")


@pytest.mark.parametrize(
    "password",
    ["correct horse battery staple", "mug lantern fjord", "Zq7 vLm2 xP9d", "straße über köln " * 11],
)
def test_what_nobody_guesses_is_taken(password: str) -> None:
    assert password_fault(password, "ana@example.com", "Example Ltd") == ""
