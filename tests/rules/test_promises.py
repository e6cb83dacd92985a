"""Every promise has a number and a sentence of our own, and markers name numbers that exist."""

import re

from tests.promises import read_promises, read_proofs, unknown_numbers

COUNTS = {"A": 61, "B": 71, "C": 52, "D": 39, "X": 30}


def test_every_numbered_line_has_one_short_sentence() -> None:
    promises = read_promises()
    for letter, count in COUNTS.items():
        numbers = [number for number in promises if number.startswith(letter)]
        assert len(numbers) == count, letter
        plain = {int(number[1:]) for number in numbers if number[1:].isdecimal()}
        assert plain == set(range(1, max(plain) + 1)), letter
    assert sum(COUNTS.values()) == len(promises)
    for number, sentence in promises.items():
        assert re.fullmatch(r"[A-Z].{15,110}\.", sentence), number
    assert len(set(promises.values())) == len(promises)


def test_markers_name_promises_that_exist() -> None:
    assert unknown_numbers() == {}


def test_there_are_proofs() -> None:
    proofs = read_proofs()
    assert "tests/kit/test_crypto.py::test_base64_of_32_bytes_is_the_master_key_itself" in proofs["X16"]
    assert len(proofs) > 30
