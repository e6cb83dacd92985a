"""The first iterations of a run for those who draw them."""

from tollway.engine import Points
from tollway.simulation.entities import Run
from tollway.simulation.flows import Workshop
from tollway.simulation.points import read_points


async def find_points(workshop: Workshop, run: Run) -> Points | None:
    """Return what a run drew and what came out, in its first 1,024 iterations; None where they are not kept."""
    return await read_points(workshop.blobs, run)
