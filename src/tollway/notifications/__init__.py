"""Mails out: their words and layout, the outbox, and the way to a mail server.

Owns: outbox_mails (rows are written by `kit.mail`).
Rules: a mail is composed from plain values and knows no customer; it is sent at least once, always under
the same Message-ID; once sent its bodies are blanked, because links, codes and keys stand in them.
"""
