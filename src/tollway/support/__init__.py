"""Tickets with deadlines, and feedback.

Owns: support_tickets, ticket_messages, feedback_entries.
Rules: the first answer of a human is due by the strictest plan that the customer holds (X14). Whoever writes to a
closed ticket within 30 days opens it again. Staff is told an hour before a first answer is due, and when it is
overdue, once each.
"""
