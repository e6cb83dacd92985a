"""Links to downloads, and why one is refused."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.kit.problems import Conflict, FieldError, Forbidden, Invalid, NotFound, TooMany, Unavailable
from tollway.plans.entities import Entitlement
from tollway.simulation.entities import Run, RunPlan

TOKEN_TTL = timedelta(hours=1)
# Of one run that work at the same time: enough to send each board member their own, too few to fill a table.
TOKENS_PER_RUN_MAX = 20
# A token is 43 characters; what is longer is none.
TOKEN_LENGTH_MAX = 100
DOWNLOADS_PATH = "/monte-carlo-api/simulations/{}/download/{}"
TOKEN_DOWNLOADS_PATH = "/monte-carlo-api/download/{}/{}"  # noqa: S105 - where a token stands, not one
BYTES_PER_NUMBER = 8
# Samples are the largest files that runs leave: so many of them bound what one customer can fill.
RUNS_WITH_SAMPLES_MAX = 20
# The most numbers of outputs that stand in the JSON file too; they make it a few megabytes.
RAW_NUMBERS_MAX = 100_000


class FileFormat(enum.StrEnum):
    """What the results of a run can be taken away as."""

    PDF = "pdf"
    XLSX = "xlsx"
    JSON = "json"


class SampleFormat(enum.StrEnum):
    """What the samples of a run can be taken away as."""

    PARQUET = "parquet"
    CSV = "csv"


class DownloadFormat(enum.StrEnum):
    """All of both: one list, so that an address that names none of it gets one sentence with all five."""

    PDF = "pdf"
    XLSX = "xlsx"
    JSON = "json"
    PARQUET = "parquet"
    CSV = "csv"

    def narrowed(self) -> FileFormat | SampleFormat:
        """Say whether it is one of results or one of samples."""
        return SampleFormat(self.value) if self.value in list(SampleFormat) else FileFormat(self.value)


def download_links(run: Run) -> dict[str, str]:
    """Return where a run's results are downloaded by format, and its samples where they were kept."""
    results = {one.value: DOWNLOADS_PATH.format(run.public_id, one.value) for one in FileFormat}
    return results | (samples_links(run) or {})


def samples_links(run: Run) -> dict[str, str] | None:
    """Return where the samples of a run are downloaded by format; None where it kept none."""
    if run.samples_blob is None:
        return None
    return {one.value: DOWNLOADS_PATH.format(run.public_id, one.value) for one in SampleFormat}


def assert_room_for_samples(kept_count: int) -> None:
    """Refuse the samples of one more run than a customer may keep those of. Raises: SamplesOverPlan."""
    if kept_count < RUNS_WITH_SAMPLES_MAX:
        return
    raise SamplesOverPlan(
        f"The samples of {kept_count} runs are kept already, of {RUNS_WITH_SAMPLES_MAX} that may be. Delete a model "
        "with its runs, wait until the results of one are deleted, or leave keep_samples out.",
        errors=(
            FieldError(
                "/simulation_config/keep_samples", f"is possible for {RUNS_WITH_SAMPLES_MAX} runs at a time"
            ),
        ),
        members={"limit": "runs_with_samples", "limit_value": RUNS_WITH_SAMPLES_MAX},
    )


def assert_samples_fit(iterations: int, plan: RunPlan, entitlement: Entitlement) -> None:
    """Refuse to keep more samples than the plan's largest file. Raises: SamplesOverPlan."""
    cell_count, limit = len(plan.inputs) + len(plan.outputs), entitlement.limits.file_bytes_max
    needed = iterations * cell_count * BYTES_PER_NUMBER
    if needed <= limit:
        return
    fitting = limit // (cell_count * BYTES_PER_NUMBER)
    raise SamplesOverPlan(
        f"The samples of {iterations:,} iterations of {len(plan.inputs):,} inputs and {len(plan.outputs):,} outputs "
        f"take {needed:,} bytes, and the plan {entitlement.plan.name} keeps {limit:,} a run: {fitting:,} iterations "
        "fit. Ask for so many, name fewer cells, leave keep_samples out, or choose a larger plan.",
        errors=(
            FieldError("/simulation_config/keep_samples", f"fits {fitting:,} iterations of these cells"),
        ),
        members={
            "limit": "file_bytes",
            "limit_value": limit,
            "plan": entitlement.plan.tier,
            "bytes_needed": needed,
            "iterations_max": fitting,
            "upgrade_url": "/#plans",
        },
    )


@dataclass(frozen=True, slots=True)
class DownloadToken:
    """Who holds it may download the results of one run until it expires; only its hash is stored."""

    public_id: str
    secret: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class DownloadLink:
    """What is known of a token, never the token itself: by which name it is taken back, and which key made it."""

    public_id: str
    run_id: int
    customer_id: int
    # None for one of before this was written down.
    api_key_id: int | None
    key_id: str | None
    created_at: datetime
    expires_at: datetime


class DownloadTokenRefused(Forbidden):
    """The token of a link is none, expired, taken back, or of a run, key or customer that is no longer served."""

    code = "download-token-refused"
    title = "That download link does not work"


class DownloadTokenNotFound(NotFound):
    """No link of the run has that id, or it works no more."""

    code = "download-token-not-found"
    title = "There is no such download link"


class DownloadTokensAtOnce(TooMany):
    """As many links of one run work as may at once."""

    code = "download-tokens-at-once"
    title = "Too many download links of one run"


class SamplesOverPlan(Invalid):
    """The samples of a run would take more than a file of the plan."""

    code = "samples-over-plan"
    title = "The plan does not keep so many samples"


class SamplesNotKept(Conflict):
    """The samples of a run were asked for that kept none."""

    code = "samples-not-kept"
    title = "The run did not keep its samples"


class DownloadsBusy(Unavailable):
    """More files wait to be made than can be made soon."""

    code = "downloads-busy"
    title = "Too many files are being made"


class FileNotMade(Unavailable):
    """Making a file took more time or memory than one may."""

    code = "file-not-made"
    title = "The file could not be made"
