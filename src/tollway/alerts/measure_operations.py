"""What the owner's rules find now: each rule is one question, answered with findings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.alerts import measure_store
from tollway.alerts.entities import INSTALLATION, Finding, Rule, spike_bound
from tollway.alerts.rules import HISTORY_DAYS_MIN, WINDOW_MINUTES, RuleKind
from tollway.kit import jobs
from tollway.kit.db import Transaction
from tollway.metering.entities import quantile_ms
from tollway.notifications.alert_mail_operations import OWNER_TEMPLATE

# Usage arrives a little late, so that what is looked at begins somewhat earlier than where it was left.
ARRIVES_WITHIN = timedelta(minutes=5)
# Further back nothing is caught up with: what was not looked at for so long counts as known.
CAUGHT_UP_MAX = timedelta(hours=1)
NETWORK_IS_NEW = timedelta(hours=1)
NETWORKS_NAMED_MAX = 3
NETWORKS_KEPT_DAYS = 90
SAMPLES_KEPT = timedelta(days=1)
# One is taken each minute; a look that comes late is still one.
SAMPLES_APART_MAX = timedelta(minutes=2)
FAILED_WITHIN = timedelta(hours=1)
MAILS_LOOKED_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Readings:
    """What the database does not know: the disk with the data folder, and what waits in this machine's journals."""

    disk_bytes: int
    disk_free_bytes: int
    journal_records: int = 0
    journal_seconds: float = 0.0

    @property
    def disk_used_percent(self) -> float:
        """From 0 to 100; what only root may still use counts as used."""
        return 100 * (1 - self.disk_free_bytes / self.disk_bytes) if self.disk_bytes else 0.0


async def take_measures(tx: Transaction, now: datetime) -> None:
    """Remember what later minutes are compared with. Writes: key_networks, usage_samples."""
    last = await measure_store.find_last_sample_at(tx)
    since = max(now - CAUGHT_UP_MAX, min(last or now, now) - ARRIVES_WITHIN)
    await measure_store.learn_networks(tx, since)
    await measure_store.take_sample(tx, now)


async def forget_measures(tx: Transaction, now: datetime) -> None:
    """Delete what is too old to compare with. Writes: key_networks, usage_samples."""
    await measure_store.delete_networks(tx, now - timedelta(days=NETWORKS_KEPT_DAYS))
    await measure_store.delete_samples(tx, now - SAMPLES_KEPT)


async def find(tx: Transaction, rule: Rule, readings: Readings, now: datetime) -> list[Finding]:
    """Say for which subjects a rule's condition holds at `now`."""
    if rule.kind is RuleKind.DISK_FULL:
        return _full_disk(rule, readings)
    if rule.kind is RuleKind.JOURNAL_LAG:
        return _journal_lag(rule, readings)
    return await _QUESTIONS[rule.kind](tx, rule, now)


async def _spikes(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    """Compare the hour that runs and the one before with the same hour of earlier days."""
    running = now.replace(minute=0, second=0, microsecond=0)
    found: dict[str, Finding] = {}
    for hour in (running - timedelta(hours=1), running):
        for row in await measure_store.list_busy_keys(tx, hour, rule.thresholds["calls"]):
            if row["days"] < HISTORY_DAYS_MIN:
                continue
            bound = spike_bound(
                row["days"],
                int(row["total"]),
                int(row["squares"]),
                deviations=rule.thresholds["deviations"],
                least=rule.thresholds["calls"],
            )
            if row["calls"] <= bound:
                continue
            mean = row["total"] / row["days"]
            found[row["key_id"]] = Finding(
                rule.kind,
                f"api_key:{row['key_id']}",
                f"{row['calls']:,} calls in the hour from {hour:%H:%M} UTC; {mean:,.1f} are usual at that hour, and "
                f"{bound:,.0f} would not have been told",
                row["customer_id"],
            )
    return list(found.values())


async def _new_networks(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    rows = await measure_store.list_new_networks(
        tx,
        now - NETWORK_IS_NEW,
        now - timedelta(days=rule.thresholds["history_days"]),
        rule.thresholds["networks"],
    )
    findings = []
    for row in rows:
        named = ", ".join(row["networks"][:NETWORKS_NAMED_MAX])
        more = len(row["networks"]) - NETWORKS_NAMED_MAX
        findings.append(
            Finding(
                rule.kind,
                f"api_key:{row['key_id']}",
                f"used from {named}{f' and {more} more' if more > 0 else ''}; it was known from "
                f"{row['known']} network{'s' if row['known'] != 1 else ''}",
                row["customer_id"],
            )
        )
    return findings


async def _error_jumps(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    findings = []
    for row in await measure_store.list_error_shares(tx, since, now.date(), rule.thresholds["calls"]):
        share = row["errors"] / row["calls"]
        usual = row["usual_errors"] / row["usual_calls"] if row["usual_calls"] else 0.0
        if share * 100 < rule.thresholds["percent"] or share <= usual * rule.thresholds["times"]:
            continue
        findings.append(
            Finding(
                rule.kind,
                f"customer:{row['public_id']}",
                f"{row['errors']:,} of {row['calls']:,} calls since {since:%H:%M} UTC were answered with an error "
                f"({share:.0%}); usual are {usual:.1%}",
                row["customer_id"],
            )
        )
    return findings


async def _fair_use(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    return [
        Finding(
            rule.kind,
            f"customer:{row['public_id']}",
            f"{row['requests_used']:,} requests of {row['product']} in the period until "
            f"{row['period_end']:%Y-%m-%d}; {row['fair_use_requests']:,} are fair",
            row["customer_id"],
        )
        for row in await measure_store.list_fair_use(tx, rule.thresholds["percent"], now)
    ]


async def _slow_answers(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    lately = await _lately(tx, rule, now)
    if lately is None:
        return []
    p95 = quantile_ms(lately[2], 0.95) or 0.0
    if p95 <= rule.thresholds["milliseconds"]:
        return []
    return [
        _of_installation(rule, f"p95 of {lately[0]:,} calls in {WINDOW_MINUTES} minutes is {p95:,.0f} ms")
    ]


async def _failed_answers(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    lately = await _lately(tx, rule, now)
    if lately is None or lately[1] * 100 < lately[0] * rule.thresholds["percent"]:
        return []
    calls, failed, _ = lately
    return [
        _of_installation(
            rule, f"{failed:,} of {calls:,} calls in {WINDOW_MINUTES} minutes failed ({failed / calls:.1%})"
        )
    ]


async def _lately(tx: Transaction, rule: Rule, now: datetime) -> tuple[int, int, list[int]] | None:
    """Return calls, failed ones and the histogram of the last minutes; None where too little is known."""
    window = timedelta(minutes=WINDOW_MINUTES)
    found = await measure_store.find_difference(tx, now - 2 * window, now - window)
    if found is None or found["calls"] < rule.thresholds["calls"]:
        return None
    return int(found["calls"]), int(found["failed"]), list(found["latencies"] or ())


async def _damaged_records(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    count = await measure_store.count_damaged(tx, now - FAILED_WITHIN)
    if count < rule.thresholds["records"]:
        return []
    return [_of_installation(rule, f"records found damaged within an hour: {count:,}")]


async def _queue_age(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    queue, bound = await jobs.get_queue_state(tx, now), rule.thresholds["seconds"]
    if queue.oldest_due_seconds < bound:
        return []
    # A worker that has just come finds what fell due while none ran, and has had no time to take it.
    at = now - timedelta(seconds=bound)
    if not await measure_store.has_sample(tx, at - SAMPLES_APART_MAX, at):
        return []
    return [
        _of_installation(
            rule,
            f"jobs waiting: {queue.waiting_count:,}, the longest for {queue.oldest_due_seconds:,} seconds",
        )
    ]


async def _failed_mails(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    # A mail that tells of mails that do not leave may not leave either, and would keep its alert open.
    count = await measure_store.count_failing_mails(
        tx, now - MAILS_LOOKED_BACK, now - FAILED_WITHIN, left_out=OWNER_TEMPLATE
    )
    if count < rule.thresholds["mails"]:
        return []
    return [_of_installation(rule, f"mails given up or waiting for another try: {count:,}")]


async def _failed_webhooks(tx: Transaction, rule: Rule, now: datetime) -> list[Finding]:
    count = await measure_store.count_failed_deliveries(tx, now - FAILED_WITHIN)
    if count < rule.thresholds["deliveries"]:
        return []
    return [_of_installation(rule, f"deliveries given up within an hour: {count:,}")]


def _journal_lag(rule: Rule, readings: Readings) -> list[Finding]:
    if readings.journal_seconds < rule.thresholds["seconds"]:
        return []
    return [
        _of_installation(
            rule,
            f"records waiting in journals: {readings.journal_records:,}, the oldest call for "
            f"{readings.journal_seconds:,.0f} seconds",
        )
    ]


def _full_disk(rule: Rule, readings: Readings) -> list[Finding]:
    if readings.disk_used_percent < rule.thresholds["percent"]:
        return []
    return [
        _of_installation(
            rule,
            f"{readings.disk_used_percent:.0f}% of the disk with the data folder is in use; "
            f"{readings.disk_free_bytes / 1e9:,.1f} GB are free",
        )
    ]


def _of_installation(rule: Rule, summary: str) -> Finding:
    return Finding(rule.kind, INSTALLATION, summary)


_QUESTIONS: dict[RuleKind, Callable[[Transaction, Rule, datetime], Awaitable[list[Finding]]]] = {
    RuleKind.KEY_SPIKE: _spikes,
    RuleKind.NEW_NETWORK: _new_networks,
    RuleKind.ERROR_JUMP: _error_jumps,
    RuleKind.FAIR_USE: _fair_use,
    RuleKind.SLOW_ANSWERS: _slow_answers,
    RuleKind.FAILED_ANSWERS: _failed_answers,
    RuleKind.DAMAGED_RECORDS: _damaged_records,
    RuleKind.QUEUE_AGE: _queue_age,
    RuleKind.FAILED_MAILS: _failed_mails,
    RuleKind.FAILED_WEBHOOKS: _failed_webhooks,
}
