"""Foreign text, made safe to show."""


def printable(text: str) -> str:
    """What could move the cursor, hide a letter or turn a line round is escaped; letters of any alphabet stay."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode()
        for letter in text.expandtabs()
    )
