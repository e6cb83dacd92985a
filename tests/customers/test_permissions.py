"""The table of who may do what, written down a second time, by hand, for every cell."""

import itertools

import pytest

from tollway.customers.permissions import (
    API_ACCESS,
    CHARGING,
    DEACTIVATED_PERMISSIONS,
    IMPERSONATOR_PERMISSIONS,
    SUSPENDED_PERMISSIONS,
    ApiAccess,
    Charging,
    Permission,
    Role,
    Scope,
    UserType,
    permissions_of_key,
    permissions_of_person,
)

# One line for each permission: owner, developer, billing, viewer; then the scopes read, write, admin; then who
# looks in a customer's place, and whether a suspended and a deactivated customer may. x: yes, a dot: no.
IN_CUSTOMER = """
                      o d b v   r w a   i s d
own                   x x x x   . . .   . x x
view                  x x x x   x . .   x . .
use                   x x . .   . x .   . . .
keys.view             x x . .   x . .   x . .
keys.manage           x x . .   . . x   . . .
team.view             x x x x   x . .   x . .
team.manage           x . . .   . . .   . . .
billing.view          x x x .   x . .   x . .
billing.manage        x . x .   . . x   . . .
support               x x x .   . x .   x x x
activity.view         x x . .   . . x   x . .
customer.manage       x . . .   . . x   . . .
customer.deactivate   x . . .   . . x   . . .
data.export           x . . .   . . .   . x x
data.erase            x . . .   . . .   . . x
"""
# Beyond their role in a customer: regular, api_customer, enterprise, admin, super_admin.
IN_INSTALLATION = """
                         r a e A S
admin.customers.view     . . . x x
admin.customers.manage   . . . x x
admin.keys.manage        . . . x x
admin.users.view         . . . x x
admin.users.manage       . . . x x
admin.user_types         . . . . x
admin.support            . . . x x
admin.audit              . . . x x
admin.settings           . . . x x
admin.impersonate        . . . x x
"""
ROLES = (Role.OWNER, Role.DEVELOPER, Role.BILLING, Role.VIEWER)
SCOPES = (Scope.READ, Scope.WRITE, Scope.ADMIN)
USER_TYPES = (
    UserType.REGULAR,
    UserType.API_CUSTOMER,
    UserType.ENTERPRISE,
    UserType.ADMIN,
    UserType.SUPER_ADMIN,
)


def table(text: str) -> dict[str, list[bool]]:
    lines = [line.split() for line in text.strip().splitlines()[1:]]
    return {name: [cell == "x" for cell in cells] for name, *cells in lines}


CUSTOMER, INSTALLATION = table(IN_CUSTOMER), table(IN_INSTALLATION)


def expected(user_type: UserType, role: Role | None) -> set[str]:
    column = None if role is None else ROLES.index(role)
    inside = {"own"} if column is None else {name for name, cells in CUSTOMER.items() if cells[column]}
    beyond = {name for name, cells in INSTALLATION.items() if cells[USER_TYPES.index(user_type)]}
    return inside | beyond


def test_the_tables_name_every_permission_role_scope_and_kind_of_user() -> None:
    assert [*CUSTOMER, *INSTALLATION] == [one.value for one in Permission]
    assert all(len(cells) == 10 for cells in CUSTOMER.values())
    assert all(len(cells) == 5 for cells in INSTALLATION.values())
    assert (set(ROLES), set(SCOPES), set(USER_TYPES)) == (set(Role), set(Scope), set(UserType))


@pytest.mark.promise("B1", "B2", "B3", "B4", "B5", "B14", "C34")
@pytest.mark.parametrize(("user_type", "role"), list(itertools.product(UserType, [*Role, None])))
def test_what_a_person_may_do(user_type: UserType, role: Role | None) -> None:
    assert {one.value for one in permissions_of_person(user_type, role)} == expected(user_type, role)


@pytest.mark.promise("B42")
@pytest.mark.parametrize("count", range(4))
def test_what_a_key_may_do_is_what_its_scopes_may(count: int) -> None:
    for scopes in itertools.combinations(SCOPES, count):
        wanted = {
            name
            for name, cells in CUSTOMER.items()
            if any(cells[4 + SCOPES.index(scope)] for scope in scopes)
        }
        assert {one.value for one in permissions_of_key(frozenset(scopes))} == wanted


def test_what_is_left_to_an_impersonator_and_to_customers_that_were_stopped() -> None:
    assert {one.value for one in IMPERSONATOR_PERMISSIONS} == {
        name for name, cells in CUSTOMER.items() if cells[7]
    }
    assert {one.value for one in SUSPENDED_PERMISSIONS} == {
        name for name, cells in CUSTOMER.items() if cells[8]
    }
    assert {one.value for one in DEACTIVATED_PERMISSIONS} == {
        name for name, cells in CUSTOMER.items() if cells[9]
    }


@pytest.mark.promise("B1", "B2", "B3", "B4", "B5", "X13")
@pytest.mark.parametrize(
    ("user_type", "api_access", "charging", "role_name", "administers"),
    [
        (UserType.REGULAR, ApiAccess.READ_ONLY, Charging.BY_PLAN, "USER", False),
        (UserType.API_CUSTOMER, ApiAccess.FULL, Charging.BY_PLAN, "USER", False),
        (UserType.ENTERPRISE, ApiAccess.FULL, Charging.BY_CONTRACT, "USER", False),
        (UserType.ADMIN, ApiAccess.FULL, Charging.NONE, "ADMIN", True),
        (UserType.SUPER_ADMIN, ApiAccess.FULL, Charging.NONE, "ADMIN", True),
    ],
)
def test_the_rest_of_what_tells_the_five_kinds_apart(
    user_type: UserType, api_access: ApiAccess, charging: Charging, role_name: str, administers: bool
) -> None:
    assert API_ACCESS[user_type] is api_access
    assert CHARGING[user_type] is charging
    assert (user_type.role_name, user_type.administers) == (role_name, administers)
