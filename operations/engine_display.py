"""The engine's display as it passes through to a person, without what is skipped and what was said already."""

import re

# What a person skips: the beginning of a step whose end is a line of its own, and each file of an upload.
_RUNNING = r"ing \(\d+s\)(?: \[diff: [^\]]*\];?)?"
_NOISE = re.compile(rf"^@ |{_RUNNING}$|Uploading asset \(|You can inspect your deployment in the Dashboard")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WHILE_IT_RUNS = re.compile(rf"{_RUNNING} (.+)$")  # what a command says
_SECTION = "Diagnostics:"
_OF = re.compile(r"^  \S.*\):$")  # the resource that diagnostics are of


class Display:
    """What a command said while it ran isn't repeated among the diagnostics; errors and warnings are."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._heading: str | None = None  # of the section, until something stands under it
        self._of: str | None = None
        self._inside = False

    def passed(self, line: str) -> str:
        """What is shown of a line; it may bring headings along that were held back."""
        text = COLOUR.sub("", line).rstrip()
        if text == _SECTION:
            self._inside, self._heading, self._of = True, line, None
            return ""
        if self._inside and text[:1].strip():
            self._inside = False
            return line if self._heading else f"\n{line}"
        if _NOISE.search(text.strip()):
            return ""
        if self._inside:
            return self._diagnostic(line, text)
        if said := _WHILE_IT_RUNS.search(text):
            self._said.add(said[1].strip())
        return line

    def _diagnostic(self, line: str, text: str) -> str:
        if _OF.match(text):
            self._of = line
            return ""
        message = text.strip()
        if not message or (message in self._said and not message.startswith(("error", "warning"))):
            return ""
        gap = "" if self._heading or not self._of else "\n"
        held = f"{gap}{self._heading or ''}{self._of or ''}"
        self._heading = self._of = None
        return f"{held}{line}"
