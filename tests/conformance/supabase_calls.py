"""What the Supabase CLI sends for each command and what it is answered, seen by a proxy in front of the stand-in.

`python -m tests.conformance.supabase_calls` writes the table anew. A line is `METHOD path?query body -> status answer`;
of bodies and answers only the shape is kept.
"""

import json
import re
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from typing_extensions import override

from tests.e2e.checkout import Checkout, new_checkout
from tests.sandbox_supabase.project import PROJECT, Project

FILE = Path(__file__).with_name("supabase_calls.json")
ANSWER = 'Deno.serve(() => new Response("{}"));\n'
BROKEN = "export const broken = (;\n"
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "functions deploy one": ("functions", "deploy", "one", "--use-api"),
    "functions deploy one (unchanged)": ("functions", "deploy", "one", "--use-api"),
    "functions deploy one (without verify_jwt)": ("functions", "deploy", "one", "--use-api", "--no-verify-jwt"),
    "functions deploy two three": ("functions", "deploy", "two", "three", "--use-api"),
    "functions deploy two broken": ("functions", "deploy", "two", "broken", "--use-api"),
    "functions list": ("functions", "list"),
    "functions download one": ("functions", "download", "one", "--use-api"),
    "functions delete one": ("functions", "delete", "one"),
    "functions delete nothing": ("functions", "delete", "nothing"),
    "secrets set A=b C=d": ("secrets", "set", "A=b", "C=d"),
    "secrets list": ("secrets", "list"),
    "secrets unset A C": ("secrets", "unset", "A", "C"),
    "secrets set SUPABASE_A=b": ("secrets", "set", "SUPABASE_A=b"),
    "projects api-keys": ("projects", "api-keys"),
}


def record(sandbox: Checkout, folder: Path) -> dict[str, Any]:
    """Per command: its exit code and its calls, sorted, since those for several functions come side by side."""
    (folder / "supabase").mkdir()
    (folder / "supabase/config.toml").write_text('project_id = "test"\n')
    found: dict[str, Any] = {}
    with proxy(sandbox.environment["SUPABASE_URL"]) as (url, calls):
        profile = folder / "profile.yaml"
        given = (sandbox.state / "sandbox/supabase/profile.yaml").read_text()
        profile.write_text(given.replace(sandbox.environment["SUPABASE_URL"], url))
        project = Project(folder=folder, sandbox=sandbox, variables={"SUPABASE_PROFILE": str(profile)})
        for name, source in (("one", ANSWER), ("two", ANSWER), ("three", ANSWER), ("broken", BROKEN)):
            project.write(name, source)
        for command, arguments in COMMANDS.items():
            calls.clear()
            if command.endswith("broken"):
                project.write("two", ANSWER.format("new"))
            done = project.cli(*arguments)
            found[command] = {"exit": done.returncode, "calls": sorted(calls)}
    return found


@contextmanager
def proxy(target: str) -> Generator[tuple[str, list[str]]]:
    """(its address, the calls that came through)."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        @override
        def parse_request(self) -> bool:
            """Every method is handled alike."""
            read = super().parse_request()
            self.__dict__[f"do_{self.command}"] = self.pass_on
            return read

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = self._chunks()
            kept = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            answer = httpx.request(self.command, target + self.path, content=body, headers=kept, timeout=60)
            sent = shape(body, self.headers.get("Content-Type", ""))
            got = shape(answer.content, answer.headers.get("Content-Type", ""))
            calls.append(" ".join(f"{self.command} {_path(self.path)} {sent} -> {answer.status_code} {got}".split()))
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _chunks(self) -> bytes:
            read = b""
            while size := int(self.rfile.readline(), 16):
                read += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return read

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """The calls are the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        server.server_close()


# Of one connection only; what httpx unpacks is passed on unpacked.
HOP = ("host", "connection", "content-length", "transfer-encoding", "accept-encoding", "content-encoding")


def _path(path: str) -> str:
    return re.sub(r"(ezbr_sha256|entrypoint_path)=[^&]+", r"\1=…", path.replace(PROJECT, "{ref}"))


def shape(body: bytes, kind: str) -> str:
    """`{a, b}` for an object, `[{a}]` for a list of them, each part of a form by its name."""
    if not body:
        return ""
    if kind.startswith("multipart/"):
        form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        parts = [part for part in form.get_payload() if not isinstance(part, str)]  # pyright: ignore[reportGeneralTypeIssues]
        return f"form({', '.join(sorted(map(_part, parts)))})"
    try:
        return _shape(json.loads(body))
    except ValueError:
        return kind.partition(";")[0] or "bytes"


def _part(part: Any) -> str:
    name = str(part.get_param("name", header="content-disposition"))
    content = part.get_payload(decode=True)
    return f"{name}: {_shape(json.loads(content))}" if name == "metadata" else name


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(value))}}}"
    if isinstance(value, list):
        return f"[{_shape(value[0])}]" if value else "[]"
    return type(value).__name__


def main() -> None:
    with new_checkout() as sandbox, TemporaryDirectory() as folder:
        sandbox.pf("sandbox", "up")
        FILE.write_text(json.dumps(record(sandbox, Path(folder)), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
