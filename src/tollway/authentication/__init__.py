"""How a person proves who they are beyond a first sign-in, and how a program stays signed in for them.

Owns: recovery_codes, spent_refresh_tokens; the TOTP columns of users.
Rules: a code of an authenticator works once; a refresh token works once, and one that comes again ends its
session; an access token is good for as long as its session is.
"""
