"""Signs that eight runs are told apart by in tables; charts use the same as symbols."""

MARKS = ("●", "▲", "■", "◆", "○", "△", "□", "◇")


def marked(k: int, name: str) -> str:
    """A run's name behind its sign."""
    return f"{MARKS[k % len(MARKS)]} {name}"
