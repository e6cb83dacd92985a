"""Monitoring: is every part that was configured connected, and what does the installation do.

Owns no table. Counters are read from what the shipper has added up (docs/decisions/0018), gauges are questions of the
moment. Every look has an end: a part that does not answer in time counts as one that is gone.
"""
