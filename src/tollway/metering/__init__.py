"""What was used: the usage log, the quotas it counts against, and the funnel of first steps.

Owns: api_usage_logs, usage_quotas, analytics_events.
Rules: a call that is served writes its usage row and counts against its quota in the same transaction
as its effect, so neither can exist without the other; what is given back is a row of its own.
"""
