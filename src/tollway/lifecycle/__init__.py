"""What spans domains: how a stranger becomes a customer, proves an address, signs in, and is forgotten.

Owns no table. Rules: sign-up, verification and sign-in answer alike whether or not an address is known;
what strangers try is counted before it is looked at; whoever never verified is deleted after a month.
"""
