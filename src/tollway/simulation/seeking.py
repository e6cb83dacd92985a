"""What workers compute of a goal seek: a few trials at a time, so that nobody's shard waits long behind it."""

import json
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tollway.simulation.execution import FILE_BYTES_MAX, PROGRAMS_KEPT, UNPACKED_BYTES_MAX
from tollway.simulation.studies import GoalSeekRecord

# A worker hands back what it has after the first trial that ends later than this.
SLICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SeekTask:
    """The next trials of a search. `question` is the stored one as text, so that it can be a cache's key."""

    workbook: Path
    sha256: bytes
    question: str
    # Those made so far: {value, statistic, standard_error, error_count}.
    trials: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class SeekProgress:
    """All trials made until now, and the answer where these were the last."""

    trials: list[dict[str, Any]]
    answer: dict[str, Any] | None
    # Of one core that these took, reading the workbook included where this process had not yet.
    seconds: float = 0.0


def seek_task(
    workbook: Path, sha256: bytes, record: GoalSeekRecord, trials: list[dict[str, Any]]
) -> SeekTask:
    """Name the next step of a search, whose workbook lies at a local path."""
    return SeekTask(workbook, sha256, json.dumps(record.question, sort_keys=True), trials)


class _SliceEnded(Exception):
    """Time for somebody else."""


def make_trials(task: SeekTask) -> SeekProgress:
    """Make the next trials, and stop once a second has passed or the search is over."""
    from tollway.engine import RankCorrelation, Sampling, SamplingMethod
    from tollway.engine.goal_seek import Trial, seek_goal

    started = time.thread_time()
    question = json.loads(task.question)
    built, seek = _built(task.workbook, task.sha256, task.question)
    correlation = None
    if question["correlations"] is not None:
        input_cells = [one.cell for one in built.program.inputs]
        correlation = RankCorrelation.from_json(question["correlations"], input_cells)
    trials = list(task.trials)
    deadline = time.monotonic() + SLICE_SECONDS

    def note(trial: Trial) -> None:
        trials.append(
            {
                "value": trial.value,
                "statistic": trial.statistic,
                "standard_error": trial.standard_error,
                "error_count": trial.error_count,
            }
        )
        if time.monotonic() > deadline:
            raise _SliceEnded

    try:
        answer = seek_goal(
            built,
            seek,
            iterations=question["iterations"],
            seed=question["seed"],
            sampling=Sampling(SamplingMethod(question["sampling"]), question["iterations"], correlation),
            known=[Trial(**one) for one in task.trials],
            on_trial=note,
        )
    except _SliceEnded:
        return SeekProgress(trials, None, time.thread_time() - started)
    return SeekProgress(trials, answer.as_json(), time.thread_time() - started)


@lru_cache(maxsize=PROGRAMS_KEPT)
def _built(path: Path, _sha256: bytes, question_text: str) -> Any:
    from dataclasses import replace

    from tollway.engine import Input, ReadLimits, parse_distribution, read_workbook, with_stress
    from tollway.engine.goal_seek import GoalSeek, build_seek_program, parse_statistic

    question = json.loads(question_text)
    limits = ReadLimits(file_bytes_max=FILE_BYTES_MAX, unpacked_bytes_max=UNPACKED_BYTES_MAX)
    inputs = [
        Input(one["cell"], parse_distribution(one["distribution"]), one["name"])
        for one in question["variables"]
    ]
    seek = GoalSeek(
        cell=question["cell"],
        low=question["low"],
        high=question["high"],
        output=question["output"],
        statistic=parse_statistic(question["statistic"], question["at_or_below"]),
        goal=question["goal"],
        tolerance=question["tolerance"],
    )
    built = build_seek_program(read_workbook(path, limits), inputs, seek)
    return replace(built, program=with_stress(built.program, question["stress"])), seek
