"""May this call run, and what did it cost: the one path that all products use.

Owns no table; it joins keys, plans and metering. Every call with an API key is recognised before its
body is read, counted in the transaction of its effect, and written to the usage log whether it was
served or refused.
"""
