"""One other engine at one model, for bench/engine.py, which starts this with the peers' own virtual environment.

    .venv-bench/bin/python bench/engine_peers.py PEER MODEL.xlsx DRAWS.npz SECONDS

DRAWS holds `cells` and `outputs` (such as "Plan!C2") and `draws` (inputs, iterations). Prints JSON: iterations done,
processor seconds they took (loading not counted), seconds of loading, and the outputs of each iteration done.
A peer that cannot do the model prints {"failed": "why"}.
"""

import json
import math
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# What every iteration needs: set the inputs, compute, read the outputs.
Once = Callable[[list[float]], list[Any]]
Address = tuple[str, int, int]


def main() -> None:
    """Load, iterate for a time, and print."""
    peer, path, packed, seconds_max = sys.argv[1], Path(sys.argv[2]), np.load(sys.argv[3]), float(sys.argv[4])
    inputs, outputs = list(packed["cells"]), list(packed["outputs"])
    started = time.process_time()
    try:
        once = PEERS[peer](path, inputs, outputs)
        loaded = time.process_time() - started
        found = [once([float(value) for value in packed["draws"][:, 0]])]
        started = time.process_time()
        for draw in packed["draws"].T[1:]:
            found.append(once(draw.tolist()))
            if time.process_time() - started > seconds_max:
                break
    except Exception as failure:  # noqa: BLE001  # a peer may fail in any way, and that is a result
        print(json.dumps({"failed": f"{type(failure).__name__}: {failure}"[:200]}))
        return
    print(
        json.dumps(
            {
                "iterations": len(found) - 1,
                "seconds": time.process_time() - started,
                "load_seconds": loaded,
                "outputs": [[_number(value) for value in one] for one in found],
            }
        )
    )


def _number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    try:
        # The package formulas wraps its values.
        number = float(np.asarray(getattr(value, "value", value)).ravel()[0])
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def address_of(cell: str) -> Address:
    """Sheet, row and column from 1."""
    sheet, _, place = cell.rpartition("!")
    match = re.fullmatch(r"([A-Z]+)(\d+)", place)
    assert match is not None, cell
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return sheet.strip("'"), int(match[2]), column


def ironcalc(path: Path, inputs: list[str], outputs: list[str]) -> Once:
    """IronCalc computes the whole workbook at each evaluation."""
    import ironcalc as engine

    model = engine.load_from_xlsx(str(path), "en", "UTC", "en")
    sheets = {one["name"]: index for index, one in enumerate(model.get_worksheets_properties())}
    places = [(sheets[sheet], row, column) for sheet, row, column in map(address_of, inputs)]
    wanted = [(sheets[sheet], row, column) for sheet, row, column in map(address_of, outputs)]

    def once(draw: list[float]) -> list[Any]:
        for place, value in zip(places, draw, strict=True):
            model.set_user_input(*place, repr(value))
        model.evaluate()
        return [model.get_cell_value(*place) for place in wanted]

    return once


def formualizer(path: Path, inputs: list[str], outputs: list[str]) -> Once:
    """Formualizer computes what depends on what was set."""
    import formualizer as engine

    book = engine.load_workbook(str(path))
    places = [address_of(cell) for cell in inputs]
    wanted = [address_of(cell) for cell in outputs]

    def once(draw: list[float]) -> list[Any]:
        for place, value in zip(places, draw, strict=True):
            book.set_value(*place, value)
        return list(book.evaluate_cells(wanted))

    return once


def formulas(path: Path, inputs: list[str], outputs: list[str]) -> Once:
    """The package formulas compiles a function from inputs to outputs."""
    import formulas as engine

    model = engine.ExcelModel().loads(str(path)).finish()

    def named(cell: str) -> str:
        sheet, row, column = address_of(cell)
        letters = ""
        while column:
            column, rest = divmod(column - 1, 26)
            letters = chr(65 + rest) + letters
        return f"'[{path.name}]{sheet.upper()}'!{letters}{row}"

    compiled = model.compile(
        inputs=[named(cell) for cell in inputs], outputs=[named(cell) for cell in outputs]
    )

    def once(draw: list[float]) -> list[Any]:
        found = compiled(*draw)
        return [found] if len(outputs) == 1 else list(found)

    return once


PEERS = {"ironcalc": ironcalc, "formualizer": formualizer, "formulas": formulas}

if __name__ == "__main__":
    main()
