"""Who may do what: the one table for the five user types, for the roles inside a customer, for the scopes of a key.

Endpoints and pages name the permission that they need; nothing else decides. tests/customers/test_permissions.py
writes the same tables down a second time, by hand.
"""

import enum


class Permission(enum.StrEnum):
    """One thing that may be allowed, named by what it is about."""

    # A person's own matters: profile, password, second factor, own sessions.
    OWN = "own"
    # A customer's things.
    VIEW = "view"
    USE = "use"
    KEYS_VIEW = "keys.view"
    KEYS_MANAGE = "keys.manage"
    TEAM_VIEW = "team.view"
    TEAM_MANAGE = "team.manage"
    BILLING_VIEW = "billing.view"
    BILLING_MANAGE = "billing.manage"
    SUPPORT = "support"
    ACTIVITY_VIEW = "activity.view"
    CUSTOMER_MANAGE = "customer.manage"
    CUSTOMER_DEACTIVATE = "customer.deactivate"
    # A person alone, never a key: it cannot be undone, or it holds everything.
    DATA_EXPORT = "data.export"
    DATA_ERASE = "data.erase"
    # The whole installation.
    ADMIN_CUSTOMERS_VIEW = "admin.customers.view"
    ADMIN_CUSTOMERS_MANAGE = "admin.customers.manage"
    ADMIN_KEYS_MANAGE = "admin.keys.manage"
    ADMIN_USERS_VIEW = "admin.users.view"
    ADMIN_USERS_MANAGE = "admin.users.manage"
    ADMIN_USER_TYPES = "admin.user_types"
    ADMIN_SUPPORT = "admin.support"
    ADMIN_AUDIT = "admin.audit"
    ADMIN_SETTINGS = "admin.settings"
    ADMIN_IMPERSONATE = "admin.impersonate"

    @property
    def is_administrative(self) -> bool:
        """Whether it reaches beyond one customer; it then needs a second factor too."""
        return self.value.startswith("admin.")


class UserType(enum.StrEnum):
    """The five kinds of user (B1-B5)."""

    REGULAR = "regular"
    API_CUSTOMER = "api_customer"
    ENTERPRISE = "enterprise"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    @property
    def administers(self) -> bool:
        """Whether this user may see every customer."""
        return self in (UserType.ADMIN, UserType.SUPER_ADMIN)

    @property
    def role_name(self) -> str:
        """Return the older word for it, which access tokens and the wallet's clients read (X13)."""
        return "ADMIN" if self.administers else "USER"


class Role(enum.StrEnum):
    """What a person is inside a customer."""

    OWNER = "owner"
    DEVELOPER = "developer"
    BILLING = "billing"
    VIEWER = "viewer"


class Scope(enum.StrEnum):
    """What an API key may be used for (B42)."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_P = Permission
_LOOKING = frozenset({_P.OWN, _P.VIEW, _P.TEAM_VIEW})

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _LOOKING,
    Role.BILLING: _LOOKING | {_P.BILLING_VIEW, _P.BILLING_MANAGE, _P.SUPPORT},
    Role.DEVELOPER: _LOOKING
    | {_P.USE, _P.KEYS_VIEW, _P.KEYS_MANAGE, _P.BILLING_VIEW, _P.SUPPORT, _P.ACTIVITY_VIEW},
    Role.OWNER: frozenset(one for one in _P if not one.is_administrative),
}

SCOPE_PERMISSIONS: dict[Scope, frozenset[Permission]] = {
    Scope.READ: frozenset({_P.VIEW, _P.KEYS_VIEW, _P.BILLING_VIEW, _P.TEAM_VIEW}),
    Scope.WRITE: frozenset({_P.USE, _P.SUPPORT}),
    Scope.ADMIN: frozenset(
        {_P.KEYS_MANAGE, _P.BILLING_MANAGE, _P.ACTIVITY_VIEW, _P.CUSTOMER_MANAGE, _P.CUSTOMER_DEACTIVATE}
    ),
}

_ADMIN = frozenset(one for one in _P if one.is_administrative and one is not _P.ADMIN_USER_TYPES)

# What a kind of user may do beyond the role they have inside a customer.
USER_TYPE_PERMISSIONS: dict[UserType, frozenset[Permission]] = {
    UserType.REGULAR: frozenset(),
    UserType.API_CUSTOMER: frozenset(),
    UserType.ENTERPRISE: frozenset(),
    UserType.ADMIN: _ADMIN,
    UserType.SUPER_ADMIN: _ADMIN | {_P.ADMIN_USER_TYPES},
}


@enum.unique
class ApiAccess(enum.Enum):
    """What a person's own access token may be used for on the API."""

    READ_ONLY = "read_only"
    FULL = "full"


@enum.unique
class Charging(enum.Enum):
    """Whether a customer whose owner is of this kind pays."""

    BY_PLAN = "by_plan"
    BY_CONTRACT = "by_contract"
    NONE = "none"


# The rest of what tells the five kinds apart (B1-B5).
API_ACCESS: dict[UserType, ApiAccess] = {
    UserType.REGULAR: ApiAccess.READ_ONLY,
    UserType.API_CUSTOMER: ApiAccess.FULL,
    UserType.ENTERPRISE: ApiAccess.FULL,
    UserType.ADMIN: ApiAccess.FULL,
    UserType.SUPER_ADMIN: ApiAccess.FULL,
}
CHARGING: dict[UserType, Charging] = {
    UserType.REGULAR: Charging.BY_PLAN,
    UserType.API_CUSTOMER: Charging.BY_PLAN,
    UserType.ENTERPRISE: Charging.BY_CONTRACT,
    UserType.ADMIN: Charging.NONE,
    UserType.SUPER_ADMIN: Charging.NONE,
}


def permissions_of_person(user_type: UserType, role: Role | None) -> frozenset[Permission]:
    """Return what a signed-in person may do: by their role in the customer looked at, and by their kind."""
    in_customer = ROLE_PERMISSIONS[role] if role else frozenset({Permission.OWN})
    return in_customer | USER_TYPE_PERMISSIONS[user_type]


def permissions_of_key(scopes: frozenset[Scope]) -> frozenset[Permission]:
    """Return what a key of these scopes may do; each scope stands by itself."""
    return frozenset().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))


def scopes_within(permissions: frozenset[Permission]) -> frozenset[Scope]:
    """Return the scopes that give a key nothing that whoever has these permissions may not do."""
    return frozenset(scope for scope, gives in SCOPE_PERMISSIONS.items() if gives <= permissions)


# What is left to someone who looks at a customer's pages in the customer's place: looking.
IMPERSONATOR_PERMISSIONS = frozenset(
    {_P.VIEW, _P.KEYS_VIEW, _P.TEAM_VIEW, _P.BILLING_VIEW, _P.ACTIVITY_VIEW, _P.SUPPORT}
)
# What a suspended customer may still do: see why, talk about it, and take its data along.
SUSPENDED_PERMISSIONS = frozenset({_P.OWN, _P.SUPPORT, _P.DATA_EXPORT})
# What a customer may still do that one of its owners closed: all that, and be forgotten.
DEACTIVATED_PERMISSIONS = SUSPENDED_PERMISSIONS | {_P.DATA_ERASE}
