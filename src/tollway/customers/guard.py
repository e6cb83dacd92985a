"""What every endpoint asks before it works: who calls, and whether they may.

An endpoint takes `Annotated[Caller, Depends(Needs(Permission.X))]`; tests/test_matrix.py reads these off every
mounted endpoint and tries each of them as everybody.
"""

from dataclasses import dataclass

from fastapi import Request

from tollway.customers.callers import Caller, Via
from tollway.customers.entities import (
    AddressNotVerified,
    CustomerState,
    PermissionMissing,
    ReadOnlyImpersonation,
    SecondFactorNeeded,
    SignInAgain,
)
from tollway.customers.permissions import (
    API_ACCESS,
    DEACTIVATED_PERMISSIONS,
    SUSPENDED_PERMISSIONS,
    ApiAccess,
    Permission,
)
from tollway.kit.http import refuse_cross_site
from tollway.kit.problems import Unauthenticated

READING_METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Needs:
    """Lets a caller through who has a permission, and says to everyone else why not.

    Args:
        permission: what the endpoint is about.
        proven: a person must have proven who they are within the last minutes, for what a borrowed browser
            or a token that leaked must not do.
        verified: a person's address must be proven.
        or_administrative: an administrator with a second factor comes in by this permission instead.
    """

    permission: Permission
    proven: bool = False
    verified: bool = False
    or_administrative: Permission | None = None

    def __call__(self, request: Request) -> Caller:
        """Return the caller. Raises: Unauthenticated, and what `check` raises."""
        caller = find_caller(request)
        if caller is None:
            raise Unauthenticated(
                "This needs to know who you are: send `Authorization: Bearer` with an API key or an access token."
            )
        if caller.via is Via.SESSION and request.method not in READING_METHODS:
            refuse_cross_site(request)
        self.check(caller, request)
        return caller

    def check(self, caller: Caller, request: Request) -> None:
        """Refuse what this caller may not do.

        Raises: PermissionMissing, SecondFactorNeeded, ReadOnlyImpersonation, SignInAgain, AddressNotVerified,
        CustomerSuspended, CustomerDeactivated.
        """
        writes = request.method not in READING_METHODS
        if caller.impersonator and writes:
            raise ReadOnlyImpersonation(
                "You are looking at a customer's pages in their place, and may change nothing. "
                "Stop looking first; administrators act for customers under Administration."
            )
        if self.is_let_in_as_administrator(caller):
            return
        if not caller.may(self.permission):
            raise PermissionMissing(self._missing(caller), members={"permission": self.permission.value})
        if self.permission.is_administrative and not caller.second_factor:
            raise SecondFactorNeeded(
                "Administration asks for a second factor. Set one up under Security, then sign in with it."
            )
        if _is_read_only(caller) and writes and self.permission is not Permission.OWN:
            raise PermissionMissing(
                "A user of this kind reads through the API; changes are made on the pages.",
                members={"permission": self.permission.value},
            )
        self._check_customer(caller)
        if self.verified and not caller.verified:
            raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
        now = request.scope["received_at"]
        if self.proven and caller.via is not Via.KEY and not caller.is_fresh(now):
            raise SignInAgain(
                "Prove once more who you are, and go on: this needs a sign-in within 15 minutes."
            )

    def is_let_in_as_administrator(self, caller: Caller) -> bool:
        """Whether a caller may do this to every customer, and so needs no customer of their own."""
        other = self.or_administrative
        return other is not None and caller.may(other) and caller.second_factor and not caller.impersonator

    def _check_customer(self, caller: Caller) -> None:
        """Refuse what a customer may not do who is suspended; keys were refused before they came here."""
        customer = caller.customer
        if customer is None or self.permission.is_administrative:
            return
        deactivated = customer.state is CustomerState.DEACTIVATED
        if self.permission in (DEACTIVATED_PERMISSIONS if deactivated else SUSPENDED_PERMISSIONS):
            return
        refusal = customer.refusal()
        if refusal is not None and not caller.impersonator:
            raise refusal

    def _missing(self, caller: Caller) -> str:
        if caller.impersonator:
            return "You are looking at a customer's pages in their place. Stop looking, and go on from there."
        if caller.via is Via.KEY:
            has = ", ".join(sorted(caller.scopes)) or "none"
            return f"This API key may not do that; its scopes are: {has}. An owner issues one with the scope it needs."
        role = f"Your role here is {caller.role}" if caller.role else "You belong to no customer"
        return f"{role}, which does not include this. An owner of the team can change that."


def find_caller(request: Request) -> Caller | None:
    """Return whom the middleware recognised, or None for a stranger."""
    caller = request.scope.get("state", {}).get("caller")
    return caller if isinstance(caller, Caller) else None


def _is_read_only(caller: Caller) -> bool:
    return caller.via is Via.TOKEN and API_ACCESS[caller.user_type] is ApiAccess.READ_ONLY
