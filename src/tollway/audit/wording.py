"""What each action is called in a list that people read."""

# By domain, then in the order in which they happen to a thing.
WORDS = {
    "customer.signed_up": "Signed up",
    "customer.changed": "Changed the company's details",
    "customer.suspended": "Suspended the customer",
    "customer.reactivated": "Reactivated the customer",
    "customer.deactivated": "Deactivated the customer",
    "customer.erased": "Erased the customer's personal data",
    "user.verified": "Verified an address",
    "user.signed_in": "Signed in",
    "user.signed_out": "Signed out",
    "user.password_set": "Set a password",
    "user.made_administrator": "Made an administrator",
    "api_key.created": "Created an API key",
    "api_key.issued": "Created an API key",
    "api_key.revealed": "Revealed a test key",
    "api_key.renamed": "Renamed an API key",
    "api_key.changed": "Changed an API key",
    "api_key.rotated": "Rotated an API key",
    "api_key.suspended": "Suspended an API key",
    "api_key.unsuspended": "Reactivated an API key",
    "api_key.revoked": "Revoked an API key",
    "api_key.deleted": "Deleted an API key",
    "audit.exported": "Downloaded the audit list",
}


def words_for(action: str) -> str:
    """Say an action in words; one that has none keeps its name."""
    return WORDS.get(action, action)
