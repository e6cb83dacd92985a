"""Set up, show and remove a second factor: an authenticator's codes, and recovery codes for when it is lost."""

from datetime import datetime

from tollway.audit import operations as audit
from tollway.authentication import store
from tollway.authentication.entities import (
    RECOVERY_CODE_COUNT,
    TOTP_DIGITS,
    FactorKeys,
    PendingAuthenticator,
    SecondFactorCodeWrong,
    SecondFactorKept,
    SecondFactorMissing,
    SecondFactorThere,
    Shown,
    hash_of_recovery_code,
    new_recovery_code,
    new_totp_secret,
    normal_factor_code,
    totp_step_of,
    totp_uri,
)
from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import AddressNotVerified, User, Visit
from tollway.customers.notice_operations import send_notice
from tollway.kit.db import Transaction
from tollway.kit.problems import FieldError


async def begin_second_factor(tx: Transaction, keys: FactorKeys, user: User, now: datetime) -> None:
    """Make the secret of an authenticator, which counts once a code of it was typed.

    Raises: AddressNotVerified, SecondFactorThere. Writes: users.
    """
    if not user.verified:
        # Else whoever signs up with another's address could lock its owner out.
        raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
    sealed = keys.sealer.seal(new_totp_secret().encode(), _seal_context(user))
    if not await store.update_to_pending(tx, user.id, sealed, now):
        raise SecondFactorThere("A second factor is set up already. Remove it first to set up another.")


async def find_pending(tx: Transaction, keys: FactorKeys, user: User) -> PendingAuthenticator | None:
    """Return what to put into the authenticator app; None where nothing is being set up."""
    found = await store.find_authenticator(tx, user.id)
    if found is None or found.confirmed_at is not None:
        return None
    secret = keys.sealer.open(bytes(found.sealed), _seal_context(user)).decode()
    return PendingAuthenticator(secret, totp_uri(secret, user.email))


async def confirm_second_factor(
    tx: Transaction, keys: FactorKeys, caller: SessionCaller, code: str, visit: Visit
) -> list[str]:
    """Let an authenticator count from now on, once its code shows that it works; return the recovery codes.

    The codes are kept as hashes and shown this once. Every other session ends; this one has the factor.
    Raises: SecondFactorMissing, SecondFactorThere, SecondFactorCodeWrong.
    Writes: users, recovery_codes, user_sessions, outbox_mails, audit_entries.
    """
    user, now = caller.user, visit.now
    found = await store.find_authenticator(tx, user.id)
    if found is None:
        raise SecondFactorMissing("Nothing is being set up. Begin anew on the page Security.")
    if found.confirmed_at is not None:
        raise SecondFactorThere("A second factor is set up already.")
    if not await _is_code_of_step(tx, keys, user, bytes(found.sealed), normal_factor_code(code), now):
        raise wrong_code()
    if not await store.update_to_confirmed(tx, user.id, now):
        raise SecondFactorThere("A second factor is set up already.")
    codes = await _replace_recovery_codes(tx, keys, user, now)
    await customers.prove_session(tx, caller.session.id, now, second_factor=True)
    await customers.end_other_sessions(tx, user.id, now, kept_session_id=caller.session.id)
    await _record(tx, "user.second_factor_set_up", caller, visit)
    await send_notice(tx, user, "A second factor was set up for your account.", visit)
    return codes


async def give_second_factor(
    tx: Transaction, keys: FactorKeys, user: User, secret: str, recovery_codes: tuple[str, ...], now: datetime
) -> None:
    """Give a user a second factor that is known already, as demo data need it."""
    await store.update_to_pending(tx, user.id, keys.sealer.seal(secret.encode(), _seal_context(user)), now)
    await store.update_to_confirmed(tx, user.id, now)
    hashes = [hash_of_recovery_code(keys.code_key, user.public_id, one) for one in recovery_codes]
    await store.insert_recovery_codes(tx, user.id, hashes, now)


async def show_factor(
    tx: Transaction, keys: FactorKeys, user: User, code: str, now: datetime
) -> Shown | None:
    """Say what a code is good for, and use it up; None where it is none of this user's that works.

    INVARIANT: a code works once, however many requests bring it at the same time
    (tests/authentication/test_second_factor.py::test_one_code_works_once_in_parallel).
    Writes: users, recovery_codes.
    """
    found = await store.find_authenticator(tx, user.id)
    if found is None or found.confirmed_at is None:
        return None
    code = normal_factor_code(code)
    if len(code) == TOTP_DIGITS:
        right = await _is_code_of_step(tx, keys, user, bytes(found.sealed), code, now)
        return Shown.TOTP if right else None
    code_hash = hash_of_recovery_code(keys.code_key, user.public_id, code)
    return Shown.RECOVERY_CODE if await store.use_recovery_code(tx, user.id, code_hash, now) else None


async def count_recovery_codes(tx: Transaction, user_id: int) -> int:
    """Count the recovery codes that still work."""
    return await store.count_recovery_codes(tx, user_id)


async def is_recovery_code_unused(tx: Transaction, keys: FactorKeys, user: User, code: str) -> bool:
    """Whether a code that is known already still works."""
    return await store.is_recovery_code_unused(
        tx, user.id, hash_of_recovery_code(keys.code_key, user.public_id, code)
    )


async def renew_recovery_codes(
    tx: Transaction, keys: FactorKeys, caller: SessionCaller, visit: Visit
) -> list[str]:
    """Replace the recovery codes and return the new ones, which are shown this once.

    Raises: SecondFactorMissing. Writes: recovery_codes, outbox_mails, audit_entries.
    """
    if not caller.user.has_second_factor:
        raise SecondFactorMissing("Recovery codes belong to a second factor. Set one up first.")
    codes = await _replace_recovery_codes(tx, keys, caller.user, visit.now)
    await _record(tx, "user.recovery_codes_renewed", caller, visit)
    await send_notice(
        tx, caller.user, "Your recovery codes were replaced; the earlier ones do not work.", visit
    )
    return codes


async def remove_second_factor(
    tx: Transaction, keys: FactorKeys, caller: SessionCaller, code: str, visit: Visit
) -> None:
    """Sign in without a second factor from now on; every other session ends.

    Raises: SecondFactorMissing, SecondFactorKept, SecondFactorCodeWrong.
    Writes: users, recovery_codes, user_sessions, outbox_mails, audit_entries.
    """
    user, now = caller.user, visit.now
    if not user.has_second_factor:
        raise SecondFactorMissing("There is no second factor to remove.")
    if user.user_type.administers:
        raise SecondFactorKept(
            "Administrators sign in with a second factor. Renew the recovery codes if some are lost; "
            "to use another authenticator, ask another administrator to change your kind of user for a while."
        )
    if await show_factor(tx, keys, user, code, now) is None:
        raise wrong_code()
    await store.clear_authenticator(tx, user.id, now)
    await store.delete_recovery_codes(tx, user.id)
    await customers.end_other_sessions(tx, user.id, now, kept_session_id=caller.session.id)
    await _record(tx, "user.second_factor_removed", caller, visit)
    await send_notice(tx, user, "The second factor of your account was removed.", visit)


async def _is_code_of_step(
    tx: Transaction, keys: FactorKeys, user: User, sealed: bytes, code: str, now: datetime
) -> bool:
    secret = keys.sealer.open(sealed, _seal_context(user)).decode()
    step = totp_step_of(secret, code, now)
    return step is not None and await store.update_last_step(tx, user.id, step)


async def _replace_recovery_codes(tx: Transaction, keys: FactorKeys, user: User, now: datetime) -> list[str]:
    codes = [new_recovery_code() for _ in range(RECOVERY_CODE_COUNT)]
    await store.delete_recovery_codes(tx, user.id)
    hashes = [hash_of_recovery_code(keys.code_key, user.public_id, one) for one in codes]
    await store.insert_recovery_codes(tx, user.id, hashes, now)
    return codes


async def _record(tx: Transaction, action: str, caller: SessionCaller, visit: Visit) -> None:
    await audit.record_entry(
        tx,
        action=action,
        customer_id=caller.customer.id if caller.customer and not caller.impersonating else None,
        actor=f"user:{caller.user.public_id}",
        subject=caller.user.public_id,
        address=visit.address,
        now=visit.now,
        actor_name=caller.user.email,
        user_id=caller.user.id,
    )


def wrong_code() -> SecondFactorCodeWrong:
    """Say that a code does not work, beside the field where it was typed."""
    message = (
        "This code does not work: it was mistyped, used before, or is too old. "
        "Wait for the next one, and see that your phone's clock is right."
    )
    return SecondFactorCodeWrong(message, errors=(FieldError("/code", message),))


def _seal_context(user: User) -> str:
    return f"totp/{user.public_id}"
