"""A plugin as the engine starts it, and the engine's side of the conversation."""

import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from sandbox.providers.installation import install
from sandbox.providers.wire import Values, decode, encode

NONE, SOME = provider_pb2.DiffResponse.DIFF_NONE, provider_pb2.DiffResponse.DIFF_SOME


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Plain values in and out; the calls carry what the engine's would."""

    process: subprocess.Popen[str]
    stub: Any

    def configure(self, **config: Any) -> None:
        self.stub.Configure(provider_pb2.ConfigureRequest(args=encode(config), acceptSecrets=True))

    def check(self, type_name: str, news: Values, olds: Values | None = None) -> tuple[Values, dict[str, str]]:
        request = provider_pb2.CheckRequest(urn=urn(type_name), news=encode(news), olds=encode(olds or {}))
        answer = self.stub.Check(request)
        return decode(answer.inputs), {failure.property: failure.reason for failure in answer.failures}

    def create(self, type_name: str, inputs: Values, *, preview: bool = False) -> tuple[str, Values]:
        checked, failures = self.check(type_name, inputs)
        assert failures == {}
        request = provider_pb2.CreateRequest(urn=urn(type_name), properties=encode(checked), preview=preview)
        answer = self.stub.Create(request)
        return answer.id, decode(answer.properties)

    def read(self, type_name: str, id_: str, inputs: Values | None = None) -> tuple[str, Values, Values]:
        request = provider_pb2.ReadRequest(urn=urn(type_name), id=id_, inputs=encode(inputs or {}))
        answer = self.stub.Read(request)
        return answer.id, decode(answer.properties), decode(answer.inputs)

    def diff(self, type_name: str, outputs: Values, old: Values, new: Values) -> Any:
        return self.stub.Diff(
            provider_pb2.DiffRequest(
                id="id", urn=urn(type_name), olds=encode(outputs), old_inputs=encode(old), news=encode(new)
            )
        )

    def update(self, type_name: str, id_: str, outputs: Values, new: Values) -> Values:
        request = provider_pb2.UpdateRequest(urn=urn(type_name), id=id_, olds=encode(outputs), news=encode(new))
        return decode(self.stub.Update(request).properties)

    def delete(self, type_name: str, id_: str, outputs: Values) -> None:
        self.stub.Delete(provider_pb2.DeleteRequest(urn=urn(type_name), id=id_, properties=encode(outputs)))


def urn(type_name: str) -> str:
    return f"urn:pulumi:test::project::{type_name}::thing"


@contextmanager
def started(name: str, home: Path, environment: Mapping[str, str], cwd: Path | None = None) -> Generator[Plugin]:
    """The plugin's own executable, in the folder where the engine would find it."""
    install(home)
    (executable,) = home.glob(f"plugins/resource-{name}-v*/pulumi-resource-{name}")
    with subprocess.Popen(
        [str(executable), "127.0.0.1:0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(environment),
        cwd=cwd,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Plugin(process=process, stub=provider_pb2_grpc.ResourceProviderStub(channel))
        process.kill()
