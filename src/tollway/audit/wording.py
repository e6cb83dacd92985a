"""What each action is called in a list that people read."""

# By domain, then in the order in which they happen to a thing.
WORDS = {
    "customer.signed_up": "Signed up",
    "customer.changed": "Changed the company's details",
    "customer.suspended": "Suspended the customer",
    "customer.reactivated": "Reactivated the customer",
    "customer.deactivated": "Deactivated the customer",
    "customer.exported": "Asked for an export of all data",
    "customer.erased": "Erased the customer's personal data",
    "user.email_verified": "Verified an address",
    "user.signed_in": "Signed in",
    "user.signed_out": "Signed out",
    "user.password_set": "Set a password",
    "user.made_administrator": "Made an administrator",
    "team.invited": "Invited somebody to the team",
    "team.invitation_revoked": "Withdrew an invitation",
    "team.joined": "Joined the team",
    "team.role_changed": "Changed somebody's role",
    "team.member_removed": "Removed somebody from the team",
    "team.left": "Left the team",
    "api_key.created": "Created an API key",
    "api_key.revealed": "Revealed a test key",
    "api_key.renamed": "Renamed an API key",
    "api_key.changed": "Changed an API key",
    "api_key.rotated": "Rotated an API key",
    "api_key.suspended": "Suspended an API key",
    "api_key.unsuspended": "Reactivated an API key",
    "api_key.revoked": "Revoked an API key",
    "api_key.deleted": "Deleted an API key",
    "subscription.change_requested": "Asked for another plan",
    "subscription.cancel_requested": "Cancelled a plan",
    "subscription.payment_settled": "Settled the payment of a plan",
    "subscription.change_withdrawn": "Withdrew a change of plan",
    "subscription.plan_assigned": "Assigned a plan",
    "subscription.changed": "Changed to another plan",
    "subscription.migration_scheduled": "Announced a change of a plan's terms",
    "grant.made": "Granted something beyond the plan",
    "grant.ended": "Ended a grant",
    "override.made": "Set a limit in place of the plan's",
    "override.ended": "Ended an override",
    "audit.exported": "Downloaded the audit list",
}


def words_for(action: str) -> str:
    """Say an action in words; one that has none keeps its name."""
    return WORDS.get(action, action)
