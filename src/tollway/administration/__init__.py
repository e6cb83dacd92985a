"""What administrators see of every customer, and what they may do: suspend, adjust, look in a customer's place.

Owns no table. Rules: every deed has its reason on record; nobody changes their own kind, and one super
administrator always stays.
"""
