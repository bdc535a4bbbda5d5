"""The engine's calls, answered for every resource type that the stand-in knows."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from typing_extensions import override

from sandbox.providers.aws import cloudwatch, configuration, events, functions, iam, kms, logs, s3, sns
from sandbox.providers.aws.clients import Clients, error_code
from sandbox.providers.resource import IncompleteError, Resource
from sandbox.providers.wire import UNKNOWN, Values, decode, encode

SERVICES = (kms, iam, logs, cloudwatch, sns, functions, events, s3)
TYPES: Mapping[str, Resource] = {one.type_name: one for service in SERVICES for one in service.TYPES}
CALLER_IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"


Answer = TypeVar("Answer")


class AwsProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Secrets never come here in the clear as such: the engine opens them, and marks the same outputs again."""

    _aws: Clients

    def __init__(self, version: str) -> None:
        self._version = version

    @override
    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_resources=False)

    @override
    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=self._version)

    @override
    def CheckConfig(self, request: Any, context: Any) -> Any:
        news = configuration.with_region(decode(request.news))
        failures = [provider_pb2.CheckFailure(property=key, reason=why) for key, why in configuration.failures(news)]
        return provider_pb2.CheckResponse(inputs=encode(news), failures=failures)

    @override
    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = decode(request.old_inputs), decode(request.news)
        changed = [key for key in {*old, *new} if old.get(key) != new.get(key)]
        moved = [key for key in changed if key == "region"]  # other region, other resources
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed, replaces=moved)

    @override
    def Configure(self, request: Any, context: Any) -> Any:
        config = configuration.opened(decode(request.args))
        region = config.get("region")
        if not region:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                "Missing region configuration. Set it: pulumi config set aws:region us-east-1",
            )
        default_tags: Values = config.get("defaultTags") or {}
        self._aws = Clients(str(region), default_tags.get("tags", {}))
        if allowed := config.get("allowedAccountIds"):
            account = self._answer(context, "reading the account", lambda: self._aws.account)
            if account not in allowed:
                context.abort(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"AWS Account ID not allowed: {account} (aws:allowedAccountIds: {', '.join(allowed)}). "
                    "Use the credentials of the stack's own account.",
                )
        return provider_pb2.ConfigureResponse(
            acceptSecrets=False, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    @override
    def Invoke(self, request: Any, context: Any) -> Any:
        if request.tok != CALLER_IDENTITY:
            self._unknown(context, request.tok)

        def ask() -> Values:
            identity = self._aws.client("sts").get_caller_identity()
            return {
                "accountId": identity["Account"],
                "arn": identity["Arn"],
                "id": identity["Account"],
                "userId": identity["UserId"],
            }

        answer = self._answer(context, "reading the caller identity", ask)
        response = provider_pb2.InvokeResponse()
        getattr(response, "return").CopyFrom(encode(answer))  # the field's name is a Python keyword
        return response

    @override
    def Check(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        name = request.urn.rpartition("::")[2]
        inputs, failures = resource.check(decode(request.news), decode(request.olds), name)
        return provider_pb2.CheckResponse(
            inputs=encode(inputs),
            failures=[provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures],
        )

    @override
    def Diff(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        old, new = decode(request.old_inputs), decode(request.news)
        for key in request.ignoreChanges:
            new[key] = old.get(key)
        changed = resource.changes(old, new)
        if "tags" in resource.properties and (
            new.get("tags") == UNKNOWN or self._aws.tags(new) != (decode(request.olds).get("tagsAll") or {})
        ):
            changed = [*changed, "tagsAll"]
        replacing = [key for key in changed if key in resource.properties and resource.properties[key].replaces]
        kinds, named = provider_pb2.PropertyDiff, resource.autonamed
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replacing,
            detailedDiff={
                key: provider_pb2.PropertyDiff(
                    kind=kinds.UPDATE_REPLACE if key in replacing else kinds.UPDATE, inputDiff=key != "tagsAll"
                )
                for key in changed
            },
            hasDetailedDiff=True,
            # Names are unique in an account: the old one has to go first, where there is a name of its own.
            deleteBeforeReplace=bool(replacing) and bool(named) and old.get(named) == new.get(named),
        )

    @override
    def Create(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        inputs = decode(request.properties)
        if request.preview:
            unknown = dict.fromkeys(resource.computed, UNKNOWN)
            return provider_pb2.CreateResponse(id="", properties=encode(unknown | inputs))
        try:
            id_ = self._answer(context, f"creating {resource.label}", lambda: resource.create(self._aws, inputs))
        except IncompleteError as incomplete:
            self._init_failed(context, resource, incomplete, inputs)
            raise
        return provider_pb2.CreateResponse(id=id_, properties=encode(self._outputs(context, resource, id_, inputs)))

    @override
    def Read(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        known = decode(request.inputs)
        id_ = resource.lookup(request.id, known)
        if not resource.may_be(id_):
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"reading {resource.label}: unexpected format of ID ({id_}), expected {resource.id_form}",
            )
        live = self._answer(context, f"reading {resource.label} ({id_})", lambda: resource.read(self._aws, id_))
        if live is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=resource.id_of(id_, live),
            properties=encode(resource.outputs(live, known)),
            inputs=encode(resource.inputs_of(live, known)),
        )

    @override
    def Update(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        old, new = decode(request.olds), decode(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=encode(old | new))
        self._answer(
            context,
            f"updating {resource.label} ({request.id})",
            lambda: resource.update(self._aws, request.id, old, new),
        )
        return provider_pb2.UpdateResponse(properties=encode(self._outputs(context, resource, request.id, new)))

    @override
    def Delete(self, request: Any, context: Any) -> Any:
        resource = self._type(context, request.urn)
        state = decode(request.properties)
        self._answer(
            context, f"deleting {resource.label} ({request.id})", lambda: resource.delete(self._aws, request.id, state)
        )
        return Empty()

    @override
    def Cancel(self, request: Any, context: Any) -> Any:
        """Calls under way are short and finish; the process ends on SIGINT, not here."""
        return Empty()

    def _outputs(self, context: Any, resource: Resource, id_: str, inputs: Values) -> Values:
        found = resource.lookup(id_, inputs)
        live = self._answer(context, f"reading {resource.label} ({found})", lambda: resource.read(self._aws, found))
        if live is not None:
            return resource.outputs(live, inputs)
        context.abort(grpc.StatusCode.NOT_FOUND, f"{resource.label} ({id_}) was made and is not there any more")
        raise AssertionError("abort raises")

    def _type(self, context: Any, urn: str) -> Resource:
        token = urn.split("::")[2].rpartition("$")[2]
        if token not in TYPES:
            self._unknown(context, token)
        return TYPES[token]

    def _unknown(self, context: Any, token: str) -> None:
        context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            f"{token}: the sandbox's stand-in for the aws provider doesn't serve this type. "
            f"It serves: {', '.join([*TYPES, CALLER_IDENTITY])}",
        )

    def _answer(self, context: Any, doing: str, call: Callable[[], Answer]) -> Answer:
        """The call's result; an error of AWS ends the request in the words that the official provider uses."""
        try:
            return call()
        except Exception as error:
            from botocore.exceptions import BotoCoreError, ClientError

            if isinstance(error, ClientError):
                message: Any = error.response.get("Error", {})
                context.abort(grpc.StatusCode.UNKNOWN, f"{doing}: {error_code(error)}: {message.get('Message', '')}")
            if isinstance(error, BotoCoreError):
                context.abort(grpc.StatusCode.UNAVAILABLE, f"{doing}: {error}")
            if not isinstance(error, IncompleteError):
                context.abort(grpc.StatusCode.UNKNOWN, f"{doing}: {error}")
            raise

    def _init_failed(self, context: Any, resource: Resource, incomplete: IncompleteError, inputs: Values) -> None:
        """Tell the engine what stands already, so that the next update goes on with it instead of making another."""
        outputs = self._outputs(context, resource, incomplete.id, inputs)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=incomplete.id, properties=encode(outputs), reasons=[str(incomplete)], inputs=encode(inputs)
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(incomplete))
        status.details.add().Pack(detail)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, str(incomplete))
