"""How an API key is written, and how a mistyped one is told without a look-up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.customers.entities import Mode
from tollway.keys.entities import (
    ALPHABET,
    PREFIXES,
    ApiKeyMalformed,
    IssuedApiKey,
    assert_well_formed,
    checksum,
    key_id_of,
    new_secret,
    prefix_of,
)
from tollway.plans.catalog import FILE

MODES = st.sampled_from([Mode.TEST, Mode.LIVE])
SECRETS = MODES.map(lambda mode: new_secret("montecarlo", mode))


@pytest.mark.promise("A35", "B40", "X5")
@given(MODES)
def test_a_key_is_its_prefix_and_32_characters(mode: Mode) -> None:
    secret = new_secret("montecarlo", mode)
    assert re.fullmatch(rf"mc_{mode}_[0-9A-Za-z]{{32}}", secret)
    assert_well_formed(secret)


@pytest.mark.promise("X5", "B11")
@given(SECRETS)
def test_the_key_id_is_the_prefix_and_the_first_8(secret: str) -> None:
    assert key_id_of(secret) == secret[: len(prefix_of(secret)) + 8]
    assert key_id_of(secret).startswith(("mc_test_", "mc_live_"))


def test_keys_do_not_repeat() -> None:
    assert len({new_secret("montecarlo", Mode.TEST) for _ in range(5_000)}) == 5_000


@pytest.mark.promise("X5")
@given(SECRETS, st.data())
def test_every_wrong_character_is_noticed(secret: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(secret) - 1))
    other = data.draw(st.sampled_from(ALPHABET + "_-. é").filter(lambda letter: letter != secret[position]))
    with pytest.raises(ApiKeyMalformed):
        assert_well_formed(secret[:position] + other + secret[position + 1 :])


@pytest.mark.promise("X5")
@given(SECRETS, st.data())
def test_every_swap_of_neighbours_is_noticed(secret: str, data: st.DataObject) -> None:
    position = data.draw(
        st.integers(0, len(secret) - 2).filter(lambda place: secret[place] != secret[place + 1])
    )
    swapped = secret[:position] + secret[position + 1] + secret[position] + secret[position + 2 :]
    with pytest.raises(ApiKeyMalformed):
        assert_well_formed(swapped)


@given(SECRETS, st.integers(0, 39))
def test_every_missing_end_is_noticed(secret: str, length: int) -> None:
    with pytest.raises(ApiKeyMalformed):
        assert_well_formed(secret[:length])


@given(SECRETS, st.text(min_size=1, max_size=100))
def test_nothing_may_follow(secret: str, more: str) -> None:
    with pytest.raises(ApiKeyMalformed):
        assert_well_formed(secret + more)


@given(st.text(max_size=300))
def test_no_text_of_a_stranger_is_taken_for_a_key(text: str) -> None:
    with pytest.raises(ApiKeyMalformed):
        assert_well_formed(text)


@pytest.mark.parametrize(
    "mistyped",
    [
        lambda secret: secret[:-1],
        lambda secret: secret[:-1] + ("0" if secret[-1] != "0" else "1"),
        lambda secret: secret + "x",
        lambda secret: "sk" + secret[2:],
        lambda secret: secret.upper(),
        lambda secret: secret * 1000,
    ],
)  # fmt: skip
def test_what_was_sent_is_never_told_back(mistyped: object) -> None:
    """An earlier system put the first 20 characters of a refused key into its log."""
    secret = new_secret("montecarlo", Mode.LIVE)
    with pytest.raises(ApiKeyMalformed) as refused:
        assert_well_formed(mistyped(secret))  # type: ignore[operator]
    told = refused.value.message + refused.value.log_message + str(refused.value.members)
    assert secret[8:20].lower() not in told.lower()
    assert refused.value.status == 401


def test_the_checksum_is_crc_32_in_six_digits() -> None:
    # The check value of CRC-32 for these nine characters is 0xCBF43926.
    number = 0
    for digit in checksum("123456789"):
        number = number * 62 + ALPHABET.index(digit)
    assert number == 0xCBF43926
    assert checksum("") == "000000"


def test_an_issued_key_does_not_print_its_secret(now: object) -> None:
    secret = new_secret("montecarlo", Mode.LIVE)

    class Named:
        key_id = key_id_of(secret)

    assert secret not in repr(IssuedApiKey(Named(), secret))  # type: ignore[arg-type]


@pytest.mark.promise("X5")
def test_the_prefixes_are_those_of_the_catalogue() -> None:
    import tomllib

    declared = tomllib.loads(FILE.read_text())
    for (product, mode), prefix in PREFIXES.items():
        assert declared[product]["key_prefixes"][mode.value] == prefix
    assert sum(len(one["key_prefixes"]) for one in declared.values() if isinstance(one, dict)) == len(
        PREFIXES
    )
