"""The catalogue of plans, subscriptions to them, and what a customer may do now.

Owns: plan_versions, api_subscriptions.
Rules: a version that was sold never changes; what a customer may do is derived from the subscription
and its plan version at that moment, never stored.
"""
