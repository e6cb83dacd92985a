"""Who did what to what, and when: a list that only grows.

Owns: audit_entries.
Rules: the database refuses every change and deletion of an entry; an entry names people and things by
their public ids and holds no name, address or secret of its own accord.
"""
