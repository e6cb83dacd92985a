"""People of one customer: who is invited, who belongs to it, in which role.

Owns: invitations; changes the memberships that `customers` keeps.
Rules: a customer always has an owner; an invitation works once, for a week, for the address it was mailed to.
"""
