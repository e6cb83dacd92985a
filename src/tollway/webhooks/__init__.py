"""Signed webhooks: customers' own servers are told what happens.

Owns: webhooks, webhook_signing_secrets, webhook_deliveries.
Rules: a delivery is a row written in the transaction of its event, and sent afterwards; it keeps its id over every
try, so that a receiver can drop a second copy. Nothing goes to an address that is not public, looked at when it is
connected to. What one run tells arrives in its order, as far as first tries go. A webhook that nothing got through to
for three days is turned off.
"""
