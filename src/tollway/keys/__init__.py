"""API keys: the secrets that we issue.

Owns: api_keys.
Rules: a key is kept as its SHA-256; a test key is also kept sealed and can be revealed again, a live one and
every `sk-` is shown once (X8). After the prefix stand 26 random base62 characters and 6 of checksum (X5), so a
typo is told apart from a stranger without a look-up. The prefix and the first 8 characters are public. A key's
state is computed, never stored, and one table says what each state allows (X9). A rotated key works strictly
before its overlap ends. A key manages none that can do more than itself.
"""
