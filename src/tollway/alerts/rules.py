"""The owner's rules: what each looks for, and how much of it is too much. Words and defaults, no state."""

import enum
from dataclasses import dataclass

# How far back the rules about the whole installation look.
WINDOW_MINUTES = 10
HISTORY_DAYS = 28
# A key that is younger has no usual day yet.
HISTORY_DAYS_MIN = 7
COUNT_MAX = 100_000_000
MINUTES_MAX = 10_080


class RuleKind(enum.StrEnum):
    """What an owner is told of."""

    KEY_SPIKE = "key_spike"
    NEW_NETWORK = "new_network"
    ERROR_JUMP = "error_jump"
    FAIR_USE = "fair_use"
    SLOW_ANSWERS = "slow_answers"
    FAILED_ANSWERS = "failed_answers"
    JOURNAL_LAG = "journal_lag"
    DAMAGED_RECORDS = "damaged_records"
    QUEUE_AGE = "queue_age"
    DISK_FULL = "disk_full"
    FAILED_MAILS = "failed_mails"
    FAILED_WEBHOOKS = "failed_webhooks"


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number of a rule: its name, what people read, and what it may be."""

    name: str
    label: str
    default: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule in words, and its numbers."""

    title: str
    about: str
    thresholds: tuple[Threshold, ...]


def _rule(title: str, about: str, resolves_after_minutes: int, *thresholds: Threshold) -> RuleText:
    gone = Threshold(
        "resolves_after_minutes", "Resolved after minutes without it", resolves_after_minutes, 1, MINUTES_MAX
    )
    return RuleText(title, about, (*thresholds, gone))


RULES: dict[RuleKind, RuleText] = {
    RuleKind.KEY_SPIKE: _rule(
        "Usage spike of an API key",
        f"More calls within an hour (UTC) than the mean of the same hour on the last {HISTORY_DAYS} days and so many "
        f"standard deviations above it. Keys younger than {HISTORY_DAYS_MIN} days are left out.",
        120,
        Threshold("deviations", "Standard deviations above the mean", 4, 1, 20),
        Threshold("calls", "Calls within the hour at least", 100, 1, COUNT_MAX),
    ),
    RuleKind.NEW_NETWORK: _rule(
        "API key used from a new network",
        "A call from a network (/24 of IPv4, /48 of IPv6) that the key was never used from. A key that is used from "
        "many networks anyway is left out.",
        1_440,
        Threshold("history_days", "Days since the key's first network", 7, 1, 365),
        Threshold("networks", "Networks of a key at most", 10, 1, 100),
    ),
    RuleKind.ERROR_JUMP: _rule(
        "Jump of a customer's errors",
        "Of a customer's calls in this hour and the one before, more were answered with an error (4xx but for 402 and "
        f"429, and 5xx) than so many times its share of the last {HISTORY_DAYS} days.",
        120,
        Threshold("calls", "Calls in these hours at least", 50, 1, COUNT_MAX),
        Threshold("percent", "Errors in percent at least", 20, 1, 100),
        Threshold("times", "Times the usual share", 3, 1, 100),
    ),
    RuleKind.FAIR_USE: _rule(
        "Fair use of an unlimited plan",
        "A customer made more requests in a period than its unlimited plan calls fair. Nothing stops.",
        60,
        Threshold("percent", "Percent of what is fair", 100, 1, 1_000),
    ),
    RuleKind.SLOW_ANSWERS: _rule(
        "Slow answers",
        f"One of twenty calls of the last {WINDOW_MINUTES} minutes took longer than this (p95).",
        15,
        Threshold("milliseconds", "Milliseconds", 1_000, 1, 30_000),
        Threshold("calls", "Calls at least", 100, 1, COUNT_MAX),
    ),
    RuleKind.FAILED_ANSWERS: _rule(
        "Failed answers",
        f"Of the calls of the last {WINDOW_MINUTES} minutes so many failed by our fault (5xx).",
        15,
        Threshold("percent", "Percent", 5, 1, 100),
        Threshold("calls", "Calls at least", 100, 1, COUNT_MAX),
    ),
    RuleKind.JOURNAL_LAG: _rule(
        "Usage arrives late",
        "A call that was served waits for so long in a journal of the worker's machine to be taken over.",
        15,
        Threshold("seconds", "Seconds", 60, 1, 86_400),
    ),
    RuleKind.DAMAGED_RECORDS: _rule(
        "Usage is damaged",
        "So many records of journals were found damaged within an hour, and left out of usage: look at the disk.",
        60,
        Threshold("records", "Records", 1, 1, COUNT_MAX),
    ),
    RuleKind.QUEUE_AGE: _rule(
        "Background jobs wait",
        "The job that has been due for longest waits for so long, and a worker was there all along: none takes it.",
        15,
        Threshold("seconds", "Seconds", 300, 10, 86_400),
    ),
    RuleKind.DISK_FULL: _rule(
        "Disk almost full",
        "So much of the disk that holds the data folder is in use.",
        15,
        Threshold("percent", "Percent in use", 90, 1, 100),
    ),
    RuleKind.FAILED_MAILS: _rule(
        "Mails do not leave",
        "So many mails were given up within an hour, or failed twice and wait for another try. Mails of alerts are "
        "left out.",
        60,
        Threshold("mails", "Mails", 3, 1, COUNT_MAX),
    ),
    RuleKind.FAILED_WEBHOOKS: _rule(
        "Webhooks are not taken",
        "So many deliveries to customers' addresses were given up within an hour.",
        60,
        Threshold("deliveries", "Deliveries", 20, 1, COUNT_MAX),
    ),
}
