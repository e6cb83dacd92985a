"""The one row that says which state the centre of rate limits is in."""

from tollway.kit.db import Transaction


async def find_epoch(tx: Transaction, name: str) -> str | None:
    """Return the epoch of a centre, or None where it never had one."""
    epoch: str | None = await tx.find_value(
        "SELECT epoch FROM admission_centres WHERE name = %(name)s", {"name": name}
    )
    return epoch


async def claim_first_epoch(tx: Transaction, name: str, epoch: str) -> bool:
    """Write the first epoch of a centre; False where somebody was earlier."""
    return bool(
        await tx.execute(
            "INSERT INTO admission_centres (name, epoch, begun_at) VALUES (%(name)s, %(epoch)s, now())"
            " ON CONFLICT (name) DO NOTHING",
            {"name": name, "epoch": epoch},
        )
    )


async def claim_next_epoch(
    tx: Transaction, name: str, epoch: str, *, replaces: str, grace_seconds: float
) -> bool:
    """Write a later epoch of a centre; False where another stands there, or one that somebody is just beginning."""
    return bool(
        await tx.execute(
            "UPDATE admission_centres SET epoch = %(epoch)s, begun_at = now()"
            " WHERE name = %(name)s AND epoch = %(replaces)s"
            " AND begun_at NOT BETWEEN now() - make_interval(secs => %(grace)s) AND now()",
            {"name": name, "epoch": epoch, "replaces": replaces, "grace": grace_seconds},
        )
    )
