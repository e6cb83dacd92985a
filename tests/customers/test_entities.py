import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.customers.attempts import network_of
from tollway.customers.challenges import normal_code
from tollway.customers.entities import (
    SignUp,
    UseCase,
    email_fault,
    normal_email,
    password_fault,
)
from tollway.kit.problems import Invalid

GOOD = ("ana@example.com", "Example Ltd", "Stress Testing")


@pytest.mark.promise("A27")
def test_the_use_cases_are_exactly_those_of_the_form():
    assert [one.value for one in UseCase] == [
        "Portfolio Risk Analysis",
        "Stress Testing",
        "Financial Modeling",
        "Other",
    ]


@pytest.mark.promise("A26")
def test_a_good_sign_up_is_kept_in_its_normal_form():
    assert SignUp.checked(" Ana@Example.COM ", "  Example Ltd ", "Other") == SignUp(
        "ana@example.com", "Example Ltd", UseCase.OTHER
    )


@pytest.mark.parametrize(
    "email",
    [
        "a@b.co",
        "first.last+tag@sub.example.org",
        "o'brien@example.com",
        "x_y-z@a-b.museum",
        f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 57}.fr",
    ],
)
def test_addresses_that_people_have_are_taken(email):
    assert len(email) <= 254
    assert email_fault(email) == ""


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ana",
        "ana@",
        "@example.com",
        "ana@example",
        "ana@@example.com",
        "ana@exa mple.com",
        "ana@-example.com",
        "ana@example-.com",
        "ana@example..com",
        ".ana@example.com",
        "ana.@example.com",
        "ana@example.c",
        "ana@example.com\r\nBcc: all@example.com",
        "ana@example.com\x00",
        "ana@127.0.0.1",
        "Ana <ana@example.com>",
        "ana@example.com,bob@example.com",
        f"{'a' * 65}@example.com",
        f"ana@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 63}.com",
    ],
)
def test_what_is_no_address_is_refused_beside_its_field(email):
    with pytest.raises(Invalid) as refused:
        SignUp.checked(email, "Example Ltd", "Other")
    (error,) = refused.value.errors
    assert error.pointer == "/email"
    assert error.message.endswith(".")


@given(st.text(max_size=400))
def test_any_text_is_an_address_or_is_told_what_is_wrong(text):
    email = normal_email(text)
    if email_fault(email) == "":
        assert email.isascii()
        assert email.isprintable()
        assert len(email) <= 254
        assert email.count("@") == 1


@pytest.mark.parametrize(
    ("company", "fault"),
    [
        ("", "Enter the name"),
        ("   ", "Enter the name"),
        ("x" * 256, "at most 255"),
        ("Example\nLtd", "cannot be shown"),
        ("Example\u202eLtd", "cannot be shown"),
        ("Example\x00", "cannot be shown"),
    ],
)
def test_a_company_name_is_one_line_that_can_be_shown(company, fault):
    with pytest.raises(Invalid) as refused:
        SignUp.checked("ana@example.com", company, "Other")
    (error,) = refused.value.errors
    assert error.pointer == "/company"
    assert fault in error.message


def test_every_field_that_is_wrong_is_told_at_once():
    with pytest.raises(Invalid) as refused:
        SignUp.checked("ana", "", "World Domination")
    assert [error.pointer for error in refused.value.errors] == ["/email", "/company", "/use_case"]
    assert "Portfolio Risk Analysis, Stress Testing, Financial Modeling, Other" in (
        refused.value.errors[2].message
    )


@pytest.mark.parametrize(
    ("password", "fault"),
    [
        ("a" * 9, "at least 10"),
        ("a" * 201, "at most 200"),
        ("ANA@example.com", "guesses"),
        ("example limited", "guesses"),
        ("correct horse", ""),
        ("mug lantern fjord " * 11 + "ab", ""),
        ("a" * 200, "first that are tried"),
    ],
)
def test_a_password_is_long_enough_and_not_one_that_anyone_guesses(password, fault):
    found = password_fault(password, "ana@example.com", "Example Limited")
    assert found == "" if fault == "" else fault in found


@pytest.mark.parametrize(
    ("typed", "code"),
    [("123456", "123456"), (" 123 456\n", "123456"), ("123-456", "123456"), ("1234567890", "1234567")],
)
def test_a_code_is_read_as_people_paste_it(typed, code):
    assert normal_code(typed) == code


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("a socket", "a socket"),
    ],
)
def test_all_addresses_that_one_person_has_count_as_one(address, network):
    assert network_of(address) == network
