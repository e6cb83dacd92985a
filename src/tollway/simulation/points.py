"""The first iterations of a run, as scatter plots and overlays show them."""

from tollway.engine import Points
from tollway.kit.blobs import BlobMissing, Blobs
from tollway.simulation.entities import Run


async def read_points(blobs: Blobs, run: Run) -> Points | None:
    """Return the first 1,024 iterations of a run, inputs and outputs in the order of the run's.

    None where there are none: the run has no results yet, or is from before points were kept, or its time is over.
    """
    if run.points_blob is None:
        return None
    try:
        return Points.from_bytes(await blobs.get(run.points_blob))
    except BlobMissing:
        # Deleted since the run was read.
        return None
