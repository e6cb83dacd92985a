"""The place up to which a formula is read, and how deep it nests there."""

from __future__ import annotations

from tollway.engine.language.lexemes import lexemes
from tollway.engine.values import UnreadableFormula

# Excel's own limit.
NESTING_MAX = 64
# Operators inside operators inside brackets; NESTING_MAX brackets hold far fewer in any real formula.
DEPTH_MAX = 192


class Cursor:
    """Walks the words of one formula: `kind`, `text` and `space` are those of the next word."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.lexemes = lexemes(text)
        self.position = 0
        self.kind, self.text, self.space = self.lexemes[0]
        self.nesting = 0
        self.depth = 0

    def advance(self) -> None:
        """Go on to the next word; the end stays."""
        if self.kind != "end":
            self.position += 1
            self.kind, self.text, self.space = self.lexemes[self.position]

    def take(self, operator: str) -> bool:
        """Go on if the word is this operator."""
        if self.kind == "operator" and self.text == operator:
            self.advance()
            return True
        return False

    def expect(self, operator: str) -> None:
        """Go on over this operator. Raises: UnreadableFormula where another word stands."""
        if not self.take(operator):
            raise self.unreadable()

    def unreadable(self) -> UnreadableFormula:
        """The refusal that names the word."""
        found = "the end of the formula" if self.kind == "end" else repr(self.text)
        return UnreadableFormula(
            f"The formula does not follow Excel's grammar at {found}: ={self.source[:200]}"
        )

    def deepen(self) -> None:
        """Count an operator inside others. Raises: UnreadableFormula."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise UnreadableFormula(
                f"The formula has more than {DEPTH_MAX} operators inside one another; "
                "split it over several cells."
            )

    def nest(self) -> None:
        """Count a bracket inside others. Raises: UnreadableFormula."""
        self.nesting += 1
        if self.nesting > NESTING_MAX:
            raise UnreadableFormula(
                f"The formula nests brackets deeper than the {NESTING_MAX} levels that Excel allows; "
                "split it over several cells."
            )
