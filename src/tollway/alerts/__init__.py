"""Alerts: customers are told how much of their plan is used, and the owner what looks wrong.

Owns: quota_notices, alert_rules, alerts, key_networks, usage_samples.
Rules: whoever is told is told once, by a row in the transaction of the mail; of one rule and subject one alert at
most is not resolved; an alert resolves by itself once its condition has been gone for as long as its rule says.
"""
