"""Tickets with deadlines, and feedback.

Owns: support_tickets, ticket_messages, feedback_entries.
Rules: the first answer of a human is due by the strictest plan that the customer holds (X14).
"""
