"""Sealed values open only whole, in their own context, under their own master key."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.kit.crypto import (
    CannotOpen,
    Sealer,
    equal_in_constant_time,
    hash_password,
    keyed_hash,
    master_key_from_text,
    password_matches,
    sha256,
)

SEALER = Sealer(bytes(range(32)))
SEALED = SEALER.seal(b"a secret of some length", "api_key/7/mc_test_abcdefgh")


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_what_was_sealed_opens_again(secret: bytes, context: str) -> None:
    assert SEALER.open(SEALER.seal(secret, context), context) == secret


def test_sealing_twice_gives_two_texts() -> None:
    assert SEALER.seal(b"same", "c") != SEALER.seal(b"same", "c")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50).filter(lambda text: text != "here"))
def test_a_sealed_value_moved_to_another_context_does_not_open(elsewhere: str) -> None:
    with pytest.raises(CannotOpen):
        SEALER.open(SEALER.seal(b"secret", "here"), elsewhere)


def test_swapping_the_parts_of_two_sealed_values_opens_neither() -> None:
    first, second = SEALER.seal(b"first", "c"), SEALER.seal(b"other", "c")
    for cut in (13, 61, 73):
        with pytest.raises(CannotOpen):
            SEALER.open(first[:cut] + second[cut:], "c")


def test_another_master_key_does_not_open_it() -> None:
    with pytest.raises(CannotOpen):
        Sealer(bytes(32)).open(SEALED, "api_key/7/mc_test_abcdefgh")


@pytest.mark.parametrize("length", range(len(SEALED)))
def test_every_truncation_is_noticed(length: int) -> None:
    with pytest.raises(CannotOpen):
        SEALER.open(SEALED[:length], "api_key/7/mc_test_abcdefgh")


@pytest.mark.parametrize("position", range(len(SEALED)))
def test_every_flipped_bit_is_noticed(position: int) -> None:
    for bit in range(8):
        damaged = bytearray(SEALED)
        damaged[position] ^= 1 << bit
        with pytest.raises(CannotOpen):
            SEALER.open(bytes(damaged), "api_key/7/mc_test_abcdefgh")


@given(st.binary(max_size=300))
def test_no_stray_bytes_open(stray: bytes) -> None:
    with pytest.raises(CannotOpen):
        SEALER.open(stray, "c")


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert SEALER.subkey("codes") != SEALER.subkey("cursors") != SEALER.master_key
    assert SEALER.subkey("codes") == Sealer(bytes(range(32))).subkey("codes")
    assert len(SEALER.subkey("codes")) == 32


@pytest.mark.promise("X16")
def test_base64_of_32_bytes_is_the_master_key_itself() -> None:
    key = bytes(range(100, 132))
    assert master_key_from_text(base64.b64encode(key).decode()) == key


@pytest.mark.promise("X16", "C7")
@pytest.mark.parametrize(
    "text",
    [
        "a passphrase of exactly 32 chars",
        "the sample of the specification has 34",
        base64.b64encode(bytes(31)).decode() + "more",
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "é" * 32,
        "x" * 5000,
    ],
)
def test_any_other_text_of_32_characters_is_stretched(text: str) -> None:
    key = master_key_from_text(text)
    assert len(key) == 32
    assert key == master_key_from_text(text), "the same text is the same key after a restart"
    assert key not in text.encode()


@pytest.mark.promise("X7")
def test_a_password_is_recognised_and_no_other() -> None:
    hashed = hash_password("correct horse battery staple")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password_matches("correct horse battery staple", hashed)
    assert not password_matches("correct horse battery stapler", hashed)
    assert not password_matches("", hashed)
    assert hash_password("same") != hash_password("same")


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=19456,t=2,p=1$broken"])
def test_nothing_matches_where_there_is_no_hash(stored: str | None) -> None:
    assert not password_matches("anything", stored)
    assert not password_matches("", stored)


def test_hashes_are_what_they_say() -> None:
    # FIPS 180-2, appendix B.1.
    assert sha256("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    # RFC 4231, test case 2.
    assert keyed_hash(b"Jefe", "what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert equal_in_constant_time(b"same", b"same")
    assert not equal_in_constant_time(b"same", b"sama")
    assert not equal_in_constant_time(b"same", b"same longer")
