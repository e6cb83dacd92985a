"""A customer with an owner who calls, and links that mails carry."""

import re
from datetime import datetime

import pytest
from tests.parties import Party, make_party

from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, Via
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, UserType
from tollway.kit.db import Database, Transaction


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now)


async def owner_of(tx: Transaction, party: Party) -> Caller:
    member = (await members.list_members(tx, party.customer_id))[0]
    return Caller(
        customer_id=party.customer_id,
        user_id=member.user_id,
        user_type=UserType.API_CUSTOMER,
        verified=True,
        mode=Mode.TEST,
        api_key_id=None,
        address="203.0.113.9",
        via=Via.SESSION,
        customer=await customers.get_customer(tx, party.customer_id),
        user=await customers.get_user(tx, member.user_id),
        role=Role.OWNER,
    )


async def link_mailed_to(tx: Transaction, email: str) -> str:
    """The secret in the newest invitation to an address."""
    text = await tx.find_value(
        """
        SELECT text_body FROM outbox_mails WHERE to_address = %(email)s AND template = 'invitation'
        ORDER BY id DESC LIMIT 1
        """,
        {"email": email},
    )
    match = re.search(r"/invitation\?token=([\w-]+)", str(text))
    assert match, text
    return match[1]
