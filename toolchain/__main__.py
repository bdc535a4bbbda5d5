"""`python -m toolchain`: leave pulumi, its Python language host, supabase, deno and uv in one folder for PATH."""

import os
import shlex
import sys
from pathlib import Path

from toolchain import engine, paths, runtimes, supabase_cli
from toolchain.report import ToolchainError, say

# -P: neither the program's folder nor the caller's comes into the host's own import path, nor the other way round.
_HOST_SHIM = """#!/bin/sh
exec {python} -P -c 'import sys
sys.path.insert(0, sys.argv.pop(1))
from toolchain.language_host import main
main()' {root} "$@"
"""


def install() -> None:
    folder = paths.tools()
    folder.mkdir(parents=True, exist_ok=True)
    found = engine.find()
    if found.language_host is None:
        _place_engine(found.program, folder / "pulumi")
        shim = _HOST_SHIM.format(python=shlex.quote(str(paths.VENV_BIN / "python")), root=shlex.quote(str(paths.ROOT)))
        _write_shim(folder / engine.LANGUAGE_HOST, shim)
    else:
        _link(found.program, folder / "pulumi")
        _link(found.language_host, folder / engine.LANGUAGE_HOST)
    _link(supabase_cli.find(), folder / "supabase")
    deno = paths.VENV_BIN / "deno"
    if not deno.exists():
        raise ToolchainError("deno is not in .venv; run: make setup")
    _link(deno, folder / "deno")
    _link(Path(runtimes.uv()), folder / "uv")  # a rollback installs the packages that its version was locked to


def _place_engine(program: Path, link: Path) -> None:
    if link.exists() and not link.is_symlink():
        have, want = link.stat(), program.stat()
        if have.st_size == want.st_size and have.st_mtime_ns == want.st_mtime_ns:
            return
    engine.place(program, link)


def _link(target: Path, link: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    unfinished = link.with_name(f".{link.name}-{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)


def _write_shim(link: Path, text: str) -> None:
    if link.is_file() and not link.is_symlink() and link.read_text() == text:
        return
    unfinished = link.with_name(f".{link.name}-{os.getpid()}")
    unfinished.write_text(text)
    unfinished.chmod(0o755)
    unfinished.replace(link)


def main() -> int:
    try:
        install()
    except ToolchainError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"{error.strerror}: {error.filename}; free space or mend the rights there, then run: make setup")
        return 1
    except KeyboardInterrupt:
        say("stopped; `make setup` goes on where it stopped")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
