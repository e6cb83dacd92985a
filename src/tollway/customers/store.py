"""SQL over users, api_customers, customer_members, email_challenges and attempt_counts."""

from datetime import datetime
from typing import LiteralString

from tollway.customers.attempts import AttemptCount
from tollway.customers.challenges import EmailChallenge
from tollway.customers.entities import ChallengePurpose, Customer, Member, Membership, User
from tollway.customers.permissions import Role, UserType
from tollway.kit.db import Transaction

_USER: LiteralString = """
    users.id, users.public_id, users.email, users.name, users.user_type, users.email_verified_at,
    users.password_hash IS NOT NULL AS has_password, users.totp_confirmed_at IS NOT NULL AS has_second_factor,
    users.created_at, users.disabled_at
"""
_CUSTOMER: LiteralString = """
    api_customers.id, api_customers.public_id, api_customers.user_id, api_customers.company_name,
    api_customers.billing_email, api_customers.use_case, api_customers.created_at, api_customers.suspended_at,
    api_customers.suspended_reason, api_customers.deactivated_at, api_customers.erased_at
"""
_CHALLENGE: LiteralString = """
    id, public_id, user_id, purpose, code_hash, attempts_left, created_at, expires_at, used_at,
    new_email
"""


async def insert_user(
    tx: Transaction,
    public_id: str,
    email: str,
    user_type: UserType,
    *,
    api_enabled: bool,
    verified_at: datetime | None,
    now: datetime,
) -> User:
    """Write a new user."""
    return await tx.get_one(
        User,
        f"""
        INSERT INTO users (public_id, email, user_type, api_enabled, email_verified_at, created_at, updated_at)
        VALUES (%(public_id)s, %(email)s, %(user_type)s, %(api_enabled)s, %(verified_at)s, %(now)s, %(now)s)
        RETURNING {_USER}
        """,
        {
            "public_id": public_id,
            "email": email,
            "user_type": user_type.value,
            "api_enabled": api_enabled,
            "verified_at": verified_at,
            "now": now,
        },
    )


async def insert_customer(
    tx: Transaction,
    public_id: str,
    user_id: int,
    company_name: str,
    billing_email: str,
    use_case: str,
    now: datetime,
) -> Customer:
    """Write a new customer, owned by a user."""
    customer = await tx.get_one(
        Customer,
        f"""
        INSERT INTO api_customers
            (public_id, user_id, company_name, billing_email, use_case, created_at, updated_at)
        VALUES (%(public_id)s, %(user_id)s, %(company)s, %(email)s, %(use_case)s, %(now)s, %(now)s)
        RETURNING {_CUSTOMER}
        """,
        {
            "public_id": public_id,
            "user_id": user_id,
            "company": company_name,
            "email": billing_email,
            "use_case": use_case,
            "now": now,
        },
    )
    await insert_member(tx, customer.id, user_id, Role.OWNER, now)
    return customer


async def find_user(tx: Transaction, user_id: int) -> User | None:
    """Return a user by identity."""
    return await tx.find_one(User, f"SELECT {_USER} FROM users WHERE id = %(id)s", {"id": user_id})


async def lock_user(tx: Transaction, user_id: int) -> User | None:
    """Return a user and hold the row, so that changes of one user happen one after the other."""
    return await tx.find_one(
        User, f"SELECT {_USER} FROM users WHERE id = %(id)s FOR NO KEY UPDATE", {"id": user_id}
    )


async def find_verified_user(tx: Transaction, email: str) -> User | None:
    """Return the one user whom an address is proven to belong to."""
    return await tx.find_one(
        User,
        f"SELECT {_USER} FROM users WHERE email = %(email)s AND email_verified_at IS NOT NULL",
        {"email": email},
    )


async def find_customer(tx: Transaction, customer_id: int) -> Customer | None:
    """Return a customer by identity."""
    return await tx.find_one(
        Customer, f"SELECT {_CUSTOMER} FROM api_customers WHERE id = %(id)s", {"id": customer_id}
    )


async def find_customer_by_public_id(tx: Transaction, public_id: str) -> Customer | None:
    """Return a customer by the id that is shown."""
    return await tx.find_one(
        Customer, f"SELECT {_CUSTOMER} FROM api_customers WHERE public_id = %(id)s", {"id": public_id}
    )


async def lock_customer(tx: Transaction, customer_id: int) -> Customer | None:
    """Return a customer and hold the row, so that changes of one customer happen one after the other.

    NO KEY: calls that write rows of this customer meanwhile do not wait, and so never for each other in a circle.
    """
    return await tx.find_one(
        Customer,
        f"SELECT {_CUSTOMER} FROM api_customers WHERE id = %(id)s FOR NO KEY UPDATE",
        {"id": customer_id},
    )


async def find_customer_of(tx: Transaction, user_id: int) -> Customer | None:
    """Return the customer that a user has belonged to the longest."""
    return await tx.find_one(
        Customer,
        f"""
        SELECT {_CUSTOMER} FROM api_customers JOIN customer_members ON customer_id = id
        WHERE customer_members.user_id = %(user_id)s ORDER BY customer_members.created_at, id LIMIT 1
        """,
        {"user_id": user_id},
    )


async def has_founded(tx: Transaction, user_id: int) -> bool:
    """Whether a user ever made a customer, as opposed to joining one."""
    return bool(
        await tx.find_value(
            "SELECT EXISTS (SELECT FROM api_customers WHERE user_id = %(id)s)", {"id": user_id}
        )
    )


# Members ------------------------------------------------------------------------------------------


async def insert_member(tx: Transaction, customer_id: int, user_id: int, role: Role, now: datetime) -> bool:
    """Make a user belong to a customer; return whether they did not before."""
    return bool(
        await tx.execute(
            """
            INSERT INTO customer_members (customer_id, user_id, role, created_at)
            VALUES (%(customer_id)s, %(user_id)s, %(role)s, %(now)s) ON CONFLICT DO NOTHING
            """,
            {"customer_id": customer_id, "user_id": user_id, "role": role.value, "now": now},
        )
    )


async def update_member_role(tx: Transaction, customer_id: int, user_id: int, role: Role) -> None:
    """Give a member another role."""
    await tx.execute(
        "UPDATE customer_members SET role = %(role)s WHERE customer_id = %(customer_id)s AND user_id = %(user_id)s",
        {"customer_id": customer_id, "user_id": user_id, "role": role.value},
    )


async def delete_member(tx: Transaction, customer_id: int, user_id: int) -> None:
    """Make a user belong to a customer no more."""
    await tx.execute(
        "DELETE FROM customer_members WHERE customer_id = %(customer_id)s AND user_id = %(user_id)s",
        {"customer_id": customer_id, "user_id": user_id},
    )


_MEMBER: LiteralString = """
    customer_members.customer_id, customer_members.user_id, users.public_id AS user_public_id, users.email,
    users.name, customer_members.role, customer_members.created_at, users.last_sign_in_at,
    users.totp_confirmed_at IS NOT NULL AS has_second_factor
"""


async def list_members(tx: Transaction, customer_id: int) -> list[Member]:
    """List everyone who belongs to a customer, who came first first."""
    return await tx.list_all(
        Member,
        f"""
        SELECT {_MEMBER} FROM customer_members JOIN users ON users.id = user_id
        WHERE customer_id = %(customer_id)s ORDER BY customer_members.created_at, user_id
        """,
        {"customer_id": customer_id},
    )


async def find_member(tx: Transaction, customer_id: int, user_id: int) -> Member | None:
    """Return one person of a customer."""
    return await tx.find_one(
        Member,
        f"""
        SELECT {_MEMBER} FROM customer_members JOIN users ON users.id = user_id
        WHERE customer_id = %(customer_id)s AND user_id = %(user_id)s
        """,
        {"customer_id": customer_id, "user_id": user_id},
    )


async def list_memberships(tx: Transaction, user_id: int) -> list[Membership]:
    """List the customers that a user belongs to, the oldest membership first."""
    return await tx.list_all(
        Membership,
        """
        SELECT customer_id, public_id AS customer_public_id, company_name, role
        FROM customer_members JOIN api_customers ON api_customers.id = customer_id
        WHERE customer_members.user_id = %(user_id)s ORDER BY customer_members.created_at, customer_id
        """,
        {"user_id": user_id},
    )


# Verified addresses and passwords -----------------------------------------------------------------


async def update_to_verified(tx: Transaction, user_id: int, now: datetime) -> User:
    """Mark an address as proven; a second user of the same address breaks `users_by_verified_email`."""
    return await tx.get_one(
        User,
        f"""
        UPDATE users SET email_verified_at = %(now)s, updated_at = %(now)s WHERE id = %(id)s
        RETURNING {_USER}
        """,
        {"id": user_id, "now": now},
    )


async def update_signed_in(tx: Transaction, user_id: int, now: datetime) -> bool:
    """Remember when a user last signed in; return whether they may, that is, are not disabled."""
    return bool(
        await tx.execute(
            "UPDATE users SET last_sign_in_at = %(now)s WHERE id = %(id)s AND disabled_at IS NULL",
            {"id": user_id, "now": now},
        )
    )


async def find_password_hash(tx: Transaction, user_id: int) -> str | None:
    """Return the hash of a user's password."""
    found = await tx.find_value("SELECT password_hash FROM users WHERE id = %(id)s", {"id": user_id})
    return None if found is None else str(found)


async def update_password_hash(tx: Transaction, user_id: int, password_hash: str, now: datetime) -> None:
    """Replace the hash of a user's password."""
    await tx.execute(
        "UPDATE users SET password_hash = %(hash)s, updated_at = %(now)s WHERE id = %(id)s",
        {"id": user_id, "hash": password_hash, "now": now},
    )


# Challenges ---------------------------------------------------------------------------------------


async def insert_challenge(
    tx: Transaction,
    public_id: str,
    user_id: int,
    purpose: ChallengePurpose,
    link_hash: bytes,
    code_hash: bytes,
    attempts_left: int,
    expires_at: datetime,
    now: datetime,
    new_email: str | None = None,
) -> None:
    """Write a new challenge."""
    await tx.execute(
        """
        INSERT INTO email_challenges
            (public_id, user_id, purpose, link_hash, code_hash, attempts_left, created_at, expires_at, new_email)
        VALUES (%(public_id)s, %(user_id)s, %(purpose)s, %(link_hash)s, %(code_hash)s, %(attempts_left)s,
            %(now)s, %(expires_at)s, %(new_email)s)
        """,
        {
            "public_id": public_id,
            "user_id": user_id,
            "purpose": purpose.value,
            "link_hash": link_hash,
            "code_hash": code_hash,
            "attempts_left": attempts_left,
            "expires_at": expires_at,
            "new_email": new_email,
            "now": now,
        },
    )


async def lock_newest_challenge(
    tx: Transaction, user_id: int, purpose: ChallengePurpose
) -> EmailChallenge | None:
    """Return the newest challenge and hold its row, so that guesses at the same time are counted one by one."""
    return await tx.find_one(
        EmailChallenge,
        f"""
        SELECT {_CHALLENGE} FROM email_challenges
        WHERE user_id = %(user_id)s AND purpose = %(purpose)s ORDER BY id DESC LIMIT 1 FOR UPDATE
        """,
        {"user_id": user_id, "purpose": purpose.value},
    )


async def lock_challenge_of_link(
    tx: Transaction, link_hash: bytes, purpose: ChallengePurpose
) -> EmailChallenge | None:
    """Return the challenge of a link and hold its row, so that a link works once."""
    return await tx.find_one(
        EmailChallenge,
        f"""
        SELECT {_CHALLENGE} FROM email_challenges
        WHERE link_hash = %(link_hash)s AND purpose = %(purpose)s FOR UPDATE
        """,
        {"link_hash": link_hash, "purpose": purpose.value},
    )


async def update_attempts_left(tx: Transaction, challenge_id: int, attempts_left: int) -> None:
    """Count a guess."""
    await tx.execute(
        "UPDATE email_challenges SET attempts_left = %(left)s WHERE id = %(id)s",
        {"id": challenge_id, "left": attempts_left},
    )


async def update_challenges_used(
    tx: Transaction, user_id: int, purpose: ChallengePurpose, now: datetime
) -> None:
    """Spend every challenge of one purpose: what one of them was for has happened."""
    await tx.execute(
        """
        UPDATE email_challenges SET used_at = %(now)s
        WHERE user_id = %(user_id)s AND purpose = %(purpose)s AND used_at IS NULL
        """,
        {"user_id": user_id, "purpose": purpose.value, "now": now},
    )


# Attempts -----------------------------------------------------------------------------------------

# The two-number form of advisory locks, apart from every other use of them; the number only has to be ours.
_ATTEMPTS_LOCK = 706542


async def add_attempt(
    tx: Transaction, subject: str, attempts_max: int, window_start_min: datetime, now: datetime
) -> AttemptCount:
    """Count one attempt in the window under way, which begins with its first attempt.

    The lock makes two first attempts share a window. Counting stops one above the limit.
    """
    parameters = {
        "lock": _ATTEMPTS_LOCK,
        "subject": subject,
        "oldest": window_start_min,
        "now": now,
        "most": attempts_max + 1,
    }
    await tx.execute("SELECT pg_advisory_xact_lock(%(lock)s, hashtext(%(subject)s))", parameters)
    return await tx.get_one(
        AttemptCount,
        """
        INSERT INTO attempt_counts (subject, window_start, attempts)
        VALUES (
            %(subject)s,
            coalesce((SELECT max(window_start) FROM attempt_counts
                      WHERE subject = %(subject)s AND window_start > %(oldest)s), %(now)s),
            1)
        ON CONFLICT (subject, window_start)
            DO UPDATE SET attempts = least(attempt_counts.attempts + 1, %(most)s)
        RETURNING attempts, window_start
        """,
        parameters,
    )


async def find_attempt_count(
    tx: Transaction, subject: str, window_start_min: datetime
) -> AttemptCount | None:
    """Return the count of the window under way."""
    return await tx.find_one(
        AttemptCount,
        """
        SELECT attempts, window_start FROM attempt_counts
        WHERE subject = %(subject)s AND window_start > %(oldest)s ORDER BY window_start DESC LIMIT 1
        """,
        {"subject": subject, "oldest": window_start_min},
    )


# Retention ----------------------------------------------------------------------------------------


async def delete_challenges(tx: Transaction, expired_before: datetime) -> int:
    """Delete challenges that ran out before a time."""
    return await tx.execute(
        "DELETE FROM email_challenges WHERE expires_at < %(time)s", {"time": expired_before}
    )


async def delete_attempt_counts(tx: Transaction, begun_before: datetime) -> int:
    """Delete counts of windows that began before a time."""
    return await tx.execute(
        "DELETE FROM attempt_counts WHERE window_start < %(time)s", {"time": begun_before}
    )


async def list_unverified_customers(tx: Transaction, created_before: datetime, limit: int) -> list[Customer]:
    """List the oldest customers whose user never proved the address; whoever was erased did, once."""
    return await tx.list_all(
        Customer,
        f"""
        SELECT {_CUSTOMER} FROM api_customers JOIN users ON users.id = api_customers.user_id
        WHERE users.email_verified_at IS NULL AND users.erased_at IS NULL AND users.created_at < %(time)s
        ORDER BY api_customers.id LIMIT %(limit)s
        """,
        {"time": created_before, "limit": limit},
    )


async def delete_customer(tx: Transaction, customer_id: int, user_id: int) -> None:
    """Delete a customer and its user, with sessions and challenges."""
    await tx.execute("DELETE FROM api_customers WHERE id = %(id)s", {"id": customer_id})
    await tx.execute("DELETE FROM users WHERE id = %(id)s", {"id": user_id})


async def count_administrators(tx: Transaction) -> int:
    """Count the users of the two kinds that administer."""
    found = await tx.find_value("SELECT count(*) FROM users WHERE user_type IN ('admin', 'super_admin')")
    return int(found)
