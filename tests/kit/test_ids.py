"""Public ids name their kind and cannot be guessed."""

import re

from tollway.kit.ids import new_id


def test_an_id_has_its_prefix_and_sixteen_hexadecimal_digits() -> None:
    assert re.fullmatch(r"mdl_[0-9a-f]{16}", new_id("mdl"))


def test_ids_do_not_repeat_or_follow_each_other() -> None:
    ids = [new_id("mdl") for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert ids != sorted(ids)
