"""Users, customers, verification, sign-in and sessions.

Owns: users, api_customers, user_sessions, email_challenges, attempt_counts.
Rules: an address belongs to one user once it is verified (X4); a link or code works once, for a while,
and a code bears few wrong guesses; a session ends where its user ends it.
"""
