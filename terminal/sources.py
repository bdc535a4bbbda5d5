"""A checkout whose code doesn't load: whoever edits it is told which line, instead of a traceback."""

import linecache
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFUSED = 3  # as any setting that can't be used


def refuse_to_start(error: Exception) -> None:
    """Ends the process where this checkout doesn't load; what fails while it runs is a bug, and left to the caller."""
    if problem := loading_problem(error):
        print(f"error: {problem}\n  {cure(error)}", file=sys.stderr)
        sys.exit(REFUSED)


def cure(error: BaseException) -> str:
    missing = " A package that is missing: make setup." if isinstance(error, ModuleNotFoundError) else ""
    return (
        "Mend it, put this checkout's changes aside (git stash), or check out a commit that works; "
        f"then type it again.{missing}"
    )


def loading_problem(error: BaseException) -> str:
    """What of this checkout doesn't load: file, line, and what is wrong there; empty for what failed while it ran."""
    where = _problem(error)
    return where and f"this checkout's code doesn't load: {where}"


def _problem(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename and _is_ours(error.filename):
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    frames = [one for one in traceback.walk_tb(error.__traceback__) if _is_ours(one[0].f_code.co_filename)]
    # The process itself begins as a module, which loads nothing any more once it is at work.
    loading = any(
        frame.f_code.co_name == "<module>" and frame.f_globals["__name__"] != "__main__" for frame, _ in frames
    )
    if not frames or not (loading or isinstance(error, ModuleNotFoundError | SyntaxError) or _is_our_import(error)):
        return ""
    frame, number = frames[-1]
    file, said = frame.f_code.co_filename, f"{type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(error, SyntaxError):  # of a file that it doesn't name, as one with a NUL byte
        said = f"`{linecache.getline(file, number).strip()}`: {error.msg}"
    return f"{file}, line {number}: {said}"


def _is_our_import(error: BaseException) -> bool:
    return isinstance(error, ImportError) and bool(error.path) and _is_ours(error.path)


def _is_ours(file: str) -> bool:
    """In this checkout, and in none of its folders of packages and tools: those are hidden ones."""
    path = Path(file)
    return path.is_relative_to(ROOT) and not path.relative_to(ROOT).parts[0].startswith(".")
