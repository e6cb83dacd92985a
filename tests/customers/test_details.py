"""Company details: sealed where they are sensitive, and never told in passing."""

import logging
from datetime import datetime

import pytest
from tests.parties import SEALER, make_party

from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.details_operations import (
    BillingAddress,
    CompanyDetails,
    change_details,
    countries,
    get_details,
)
from tollway.customers.entities import Mode
from tollway.customers.permissions import UserType
from tollway.kit.crypto import CannotOpen
from tollway.kit.db import Database
from tollway.kit.problems import Invalid

ADDRESS = {"line1": "17 Canary Wharf", "city": "London", "country": "GB", "postal_code": "E14 5AB"}
FULL = CompanyDetails.checked("Canary Ltd", "Bills@Example.com", "GB 123 4567 89", ADDRESS)


async def keep(database: Database, now: datetime, details: CompanyDetails = FULL) -> int:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
        caller = Caller(
            customer_id=customer.id,
            user_id=None,
            user_type=UserType.API_CUSTOMER,
            verified=True,
            mode=Mode.TEST,
            api_key_id=party.api_key.id,
            address="192.0.2.7",
            via=Via.KEY,
            customer=customer,
            key_id=party.api_key.key_id,
        )
        await change_details(tx, SEALER, caller, details, now)
    return party.customer_id


async def test_details_come_back_as_they_were_kept(database: Database, now: datetime) -> None:
    customer_id = await keep(database, now)
    async with database.transaction() as tx:
        found = await get_details(tx, SEALER, customer_id)
    assert found == FULL
    assert found.billing_email == "bills@example.com"
    assert found.billing_address == BillingAddress("17 Canary Wharf", "London", "GB", postal_code="E14 5AB")


@pytest.mark.promise("B45")
async def test_sealed_fields_are_nowhere_in_plain_text(
    database: Database, now: datetime, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    await keep(database, now)
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT tax_id, billing_address FROM api_customers WHERE tax_id IS NOT NULL"
        )
        entries = await tx.list_rows("SELECT * FROM audit_entries WHERE action = 'customer.changed'")
    assert len(rows) == 1
    assert list(rows[0]["billing_address"]) == ["sealed"]
    assert entries[0]["details"] == {"fields": ["company_name", "billing_email", "tax_id", "billing_address"]}
    written = repr(rows) + repr(entries) + caplog.text + "".join(capsys.readouterr()) + repr(FULL)
    for secret in ("123 4567 89", "Canary Wharf", "E14"):
        assert secret not in written


@pytest.mark.promise("B45")
async def test_a_sealed_field_copied_to_another_customer_does_not_open(
    database: Database, now: datetime
) -> None:
    customer_id, other_id = await keep(database, now), await keep(database, now)
    async with database.transaction() as tx:
        await tx.execute(
            """
            UPDATE api_customers SET tax_id = (SELECT tax_id FROM api_customers WHERE id = %(of)s)
            WHERE id = %(to)s
            """,
            {"of": customer_id, "to": other_id},
        )
        with pytest.raises(CannotOpen):
            await get_details(tx, SEALER, other_id)


async def test_keeping_what_is_kept_already_writes_nothing(database: Database, now: datetime) -> None:
    customer_id = await keep(database, now)
    async with database.transaction() as tx:
        before = await tx.list_rows("SELECT * FROM audit_entries")
        customer = await customers.get_customer(tx, customer_id)
        caller = Caller(
            customer_id, None, UserType.API_CUSTOMER, True, Mode.TEST, None, "", Via.KEY, customer
        )
        await change_details(tx, SEALER, caller, FULL, now)
        assert await tx.list_rows("SELECT * FROM audit_entries") == before


@pytest.mark.parametrize(
    ("tax_id", "address", "pointers"),
    [
        ("<script>", None, ["/tax_id"]),
        ("1" * 41, None, ["/tax_id"]),
        (None, {"line1": "Here"}, ["/billing_address/city", "/billing_address/country"]),
        (None, ADDRESS | {"country": "XX"}, ["/billing_address/country"]),
        (None, ADDRESS | {"line2": "x" * 201}, ["/billing_address/line2"]),
        (None, ADDRESS | {"city": "Lon\ndon"}, ["/billing_address/city"]),
        (None, ADDRESS | {"postal_code": "1" * 21}, ["/billing_address/postal_code"]),
    ],
)
def test_each_part_that_cannot_be_used_is_pointed_at(
    tax_id: str | None, address: dict[str, str] | None, pointers: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        CompanyDetails.checked("Example Ltd", "a@example.com", tax_id, address)
    assert [one.pointer for one in refused.value.errors] == pointers


def test_an_empty_address_is_none_and_an_empty_number_too() -> None:
    found = CompanyDetails.checked("Example Ltd", "a@example.com", " ", dict.fromkeys(ADDRESS, " "))
    assert (found.tax_id, found.billing_address) == (None, None)


def test_every_country_has_two_letters_and_a_name() -> None:
    assert {"DE", "GB", "US"} <= set(countries())
    assert 240 < len(countries()) < 270
