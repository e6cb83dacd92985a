"""The guide to other tools names every function that is drawn, and none that is not."""

import json
import re

from tests.rules.sources import ROOT

from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.written_inputs import crystal_ball
from tollway.engine.written_inputs.adjusting import property_of
from tollway.engine.written_inputs.directory import FUNCTIONS, OUTPUT_MARKS
from tollway.engine.written_inputs.worksheet import INVERSES

GUIDE = (ROOT / "docs" / "guides" / "peers.md").read_text(encoding="utf-8")
# What is named because it is refused.
REFUSED = {
    "RiskMean", "RiskPercentile", "PsiMean", "CB.GetForeStatFN", "PsiMetalog", "PsiMyerson", "PsiVary", "CB.Beta2",
    "CB.Lognormal2",
}  # fmt: skip


def test_every_function_that_draws_is_named() -> None:
    in_distributions = {entry.peer for entry in CATALOGUE.values()}
    for key, function in FUNCTIONS.items():
        is_alternate = function.name.endswith(("Alt", "AltD"))
        if not is_alternate and function.name not in in_distributions and key != "XLRISKLOGNORM":
            assert re.search(rf"`{re.escape(function.name)}[`(]", GUIDE), function.name
    for name in INVERSES:
        assert f"`{name}`" in GUIDE, name


def test_every_function_that_is_named_is_drawn_or_said_to_be_refused() -> None:
    for name in re.findall(r"`((?:Risk|Psi|CB\.)[A-Za-z0-9.]+)", GUIDE):
        known = name.upper() in FUNCTIONS or name.upper() in OUTPUT_MARKS or property_of(name.upper())
        assert known or name in REFUSED, name


def test_functions_of_crystal_ball_are_written_as_they_are_read() -> None:
    written = dict(re.findall(r"^\| `(CB\.\w+)(\(.*?\))`", GUIDE, re.MULTILINE))
    for function in crystal_ball.FUNCTIONS.values():
        if function.name != "CB.StudentT":
            form = function.form.replace(", [low_cutoff], [high_cutoff], [name]", "")
            assert f"{function.name}{written[function.name]}" == form


def test_the_body_that_it_shows_is_json() -> None:
    (body,) = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert set(json.loads(body)["simulation_config"]) == {"iterations", "seed"}
