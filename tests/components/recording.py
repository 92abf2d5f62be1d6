"""Run a Pulumi program without an engine, and record the resources that it registers.

Pulumi's mocks show the inputs of a resource and not its options, such as `protect`, which are half of the components'
purpose. So a monitor that records whole registrations replaces the mock monitor.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import runpy
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.stack import run_pulumi_func

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "123456789012"

KEY = "aws:kms/key:Key"
BACKUP_VAULT = "aws:backup/vault:Vault"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
BACKUP_PLAN = "aws:backup/plan:Plan"
SECRET = "aws:secretsmanager/secret:Secret"
BUCKET = "aws:s3/bucket:Bucket"
BUCKET_REPLICATION = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SUBNET = "aws:ec2/subnet:Subnet"
SUBNET_GROUP = "aws:rds/subnetGroup:SubnetGroup"
GATEWAY = "aws:ec2/internetGateway:InternetGateway"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
PARAMETER_GROUP = "aws:rds/parameterGroup:ParameterGroup"
DATABASE = "aws:rds/instance:Instance"
BACKUP_REPLICATION = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
NETWORK = "hcloud:index/network:Network"
NETWORK_SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"
FIREWALL = "hcloud:index/firewall:Firewall"
PLACEMENT_GROUP = "hcloud:index/placementGroup:PlacementGroup"
PRIMARY_IP = "hcloud:index/primaryIp:PrimaryIp"
SERVER = "hcloud:index/server:Server"
BALANCER = "hcloud:index/loadBalancer:LoadBalancer"
BALANCER_NETWORK = "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork"
BALANCER_TARGET = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
BALANCER_SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService"
CERTIFICATE = "hcloud:index/managedCertificate:ManagedCertificate"
ZONE = "hcloud:index/zone:Zone"
RRSET = "hcloud:index/zoneRrset:ZoneRrset"
SSH_KEY = "hcloud:index/sshKey:SshKey"
REPOSITORY = "github:index/repository:Repository"
RULESET = "github:index/repositoryRuleset:RepositoryRuleset"
STACK_REFERENCE = "pulumi:pulumi:StackReference"


@dataclass(frozen=True)
class Registration:
    """The registration of a resource. Inputs are in wire form: camelCase, and every number a float."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    custom: bool
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: frozenset[str]
    replace_on_changes: frozenset[str]
    provider: str
    depends_on: frozenset[str]
    before_delete: tuple[str, ...]
    """The names of the hooks that run before the resource is deleted."""
    import_id: str
    """The id of an existing resource that is imported. Empty for a resource that is created."""
    id: str


@dataclass
class Deployment:
    """The registrations of a program, in their order, and its exports. An unknown value is None."""

    resources: list[Registration] = field(default_factory=list)
    stack_references: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def all(self, type_: str) -> list[Registration]:
        return [resource for resource in self.resources if resource.type == type_]

    def one(self, type_: str, name: str | None = None) -> Registration:
        found = [resource for resource in self.all(type_) if name in (None, resource.name)]
        assert len(found) == 1, f"{len(found)} of {type_} {name or ''}: {[resource.name for resource in found]}"
        return found[0]

    @property
    def custom(self) -> list[Registration]:
        """The resources that a provider creates: neither components nor the providers themselves."""
        return [it for it in self.resources if it.custom and not it.type.startswith("pulumi:providers:")]


def strings(value: Any) -> Iterator[str]:
    """Return every string in a value at any depth, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


def configuration(stack: str, changes: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return a stack file's configuration in the form that the engine gives the program: text, and the rest as JSON.

    `changes` has values by dotted path in the `botbrains` namespace, like `pulumi config set --path`. None removes one.
    """
    config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    for path, value in (changes or {}).items():
        first, *rest = f"botbrains:{path}".split(".")
        *parents, last = (first, *rest)
        section = config
        for parent in parents:
            section = section[parent]
        if value is None:
            del section[last]
        else:
            section[last] = value
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}


def deploy_stack(
    stack: str,
    *,
    config: Mapping[str, str] | None = None,
    vault: Mapping[str, Any] | None = None,
    preview: bool = False,
) -> Deployment:
    """Run the real program for one of its stacks, like Pulumi's language host.

    `vault` has the outputs of the vault's stack.
    """

    def program() -> None:
        try:
            runpy.run_path(str(ROOT), run_name="__main__")
        finally:
            gc.enable()  # the program disables it, because its process ends within seconds; this process continues

    return deploy(program, stack=stack, config=config or configuration(stack), vault=vault, preview=preview)


def deploy(
    program: Callable[[], None],
    *,
    stack: str = "test",
    config: Mapping[str, str] | None = None,
    vault: Mapping[str, Any] | None = None,
    preview: bool = False,
    answers: Mapping[str, Mapping[str, Any]] | None = None,
) -> Deployment:
    """Run a program, and wait until every registration has arrived.

    `answers` has the outputs that a cloud returns for a type, where they differ from the inputs.

    Pulumi keeps the state of a run in context variables. Each run gets its own context, so tests that share a process
    do not affect each other.
    """
    deployment = Deployment()

    async def run_program() -> None:
        program()
        exports: Mapping[str, Any] = getattr(settings.get_root_resource(), "outputs")  # noqa: B009 - not declared
        for name, value in exports.items():
            deployment.outputs[name] = await pulumi.Output.from_input(value).future()

    def run() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            settings.set_root_resource(None)  # type: ignore[arg-type]
            cloud = _Cloud(deployment, vault or {}, preview, answers or {})
            pulumi.runtime.set_mocks(
                cloud, project="botbrains", stack=stack, preview=preview, monitor=_Monitor(cloud, deployment)
            )
            pulumi.runtime.set_all_config(dict(config or {}), [])
            # Discard the state of an earlier run that failed.
            settings.SETTINGS.rpc_manager.clear()
            settings.SETTINGS.outputs.clear()
            loop.run_until_complete(run_pulumi_func(run_program))
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    contextvars.copy_context().run(run)
    return deployment


class _Monitor(mocks.MockMonitor):
    """The mock monitor. It also records the options of every registration."""

    def __init__(self, cloud: _Cloud, deployment: Deployment) -> None:
        super().__init__(cloud)
        self._deployment = deployment
        self._lock = threading.Lock()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the engine's URN, with the types of all ancestors. The mocks use the parent's type only."""
        ancestors = parent.split("::")[2] if parent else ""
        if ancestors and ancestors != "pulumi:pulumi:Stack":
            type_ = f"{ancestors}${type_}"
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{type_}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the protocol's name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != "pulumi:pulumi:Stack":
            registration = Registration(
                urn=response.urn,
                type=request.type,
                name=request.name,
                inputs=rpc.deserialize_properties(request.object),
                custom=request.custom,
                protect=request.protect,
                retain_on_delete=request.retainOnDelete,
                delete_before_replace=request.deleteBeforeReplace,
                ignore_changes=frozenset(request.ignoreChanges),
                replace_on_changes=frozenset(request.replaceOnChanges),
                provider=request.provider,
                depends_on=frozenset(request.dependencies),
                before_delete=tuple(request.hooks.before_delete),
                import_id=request.importId,
                id=response.id,
            )
            with self._lock:
                self._deployment.resources.append(registration)
        return response


def _offered(name: str) -> dict[str, Any]:
    """A server type that is available in every location, in the provider's form."""
    nothing = dict.fromkeys(("architecture", "category", "cpuType", "description", "storageType"), "")
    never = {"deprecationAnnounced": "", "isDeprecated": False, "unavailableAfter": ""}
    return {
        "id": 1, "name": name, "cores": 4, "memory": 8, "disk": 160, "includedTraffic": 0, **nothing, **never,
        "locations": [
            {"id": 1, "name": place, "available": True, "recommended": True, **never}
            for place in ("fsn1", "nbg1", "hel1", "one", "two")
        ],
    }  # fmt: skip


class _Cloud(mocks.Mocks):
    """Clouds that accept every resource, and return ids, ARNs and addresses of the right form.

    In a preview they return only inputs, like the engine, so every value that depends on another output is unknown.
    """

    def __init__(
        self,
        deployment: Deployment,
        vault: Mapping[str, Any],
        preview: bool,
        answers: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._deployment = deployment
        self._vault = vault
        self._preview = preview
        self._answers = answers
        self._count = 0
        self._lock = threading.Lock()

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        match args.token:
            case "hcloud:index/getServerTypes:getServerTypes":
                return {"serverTypes": [_offered(kind) for kind in ("cpx32", "cpx42")], "id": "all"}, []
            case "hcloud:index/getServers:getServers":
                return {"servers": [], "id": "none"}, []
            case _:
                raise AssertionError(f"unexpected lookup during a preview: {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        with self._lock:
            self._count += 1
            number = self._count
        if args.typ == STACK_REFERENCE:
            assert args.resource_id is not None
            with self._lock:
                self._deployment.stack_references.append(args.resource_id)
            return args.resource_id, {"name": args.resource_id, "outputs": self._vault, "secretOutputNames": []}
        if self._preview and args.custom and not args.typ.startswith("pulumi:providers:"):
            return "", args.inputs
        id_, outputs = self._made(args.typ, args.name, args.inputs, args.provider or "", number)
        return id_, args.inputs | outputs | dict(self._answers.get(args.typ, {}))

    def _made(
        self, type_: str, name: str, inputs: Mapping[str, Any], provider: str, number: int
    ) -> tuple[str, dict[str, Any]]:
        region = inputs.get("region") or self._region(provider)
        arn = "arn:aws-eusc" if region.startswith("eusc-") else "arn:aws"
        match type_:
            case "aws:kms/key:Key":
                id_ = f"00000000-0000-0000-0000-{number:012}"
                return id_, {"keyId": id_, "arn": f"{arn}:kms:{region}:{ACCOUNT}:key/{id_}"}
            case "aws:s3/bucket:Bucket":
                return inputs["bucket"], {"arn": f"{arn}:s3:::{inputs['bucket']}"}
            case "aws:backup/vault:Vault":
                return inputs["name"], {"arn": f"{arn}:backup:{region}:{ACCOUNT}:backup-vault:{inputs['name']}"}
            case "aws:secretsmanager/secret:Secret":
                id_ = f"{arn}:secretsmanager:{region}:{ACCOUNT}:secret:{inputs['name']}-{number:06}"
                replicas = [{**one, "status": "InSync"} for one in inputs.get("replicas") or []]
                return id_, {"arn": id_, "replicas": replicas}
            case "aws:ssm/activation:Activation":
                return f"00000000-0000-0000-0001-{number:012}", {"activationCode": f"code-{number:015}"}
            case "aws:cloudwatch/logGroup:LogGroup":
                return inputs["name"], {"arn": f"{arn}:logs:{region}:{ACCOUNT}:log-group:{inputs['name']}"}
            case "aws:iam/role:Role":
                return inputs["name"], {"arn": f"{arn}:iam::{ACCOUNT}:role/{inputs['name']}"}
            case "aws:iam/openIdConnectProvider:OpenIdConnectProvider":
                id_ = f"{arn}:iam::{ACCOUNT}:oidc-provider/{inputs['url'].removeprefix('https://')}"
                return id_, {"arn": id_}
            case "aws:iam/policy:Policy":
                id_ = f"{arn}:iam::{ACCOUNT}:policy/{inputs['name']}"
                return id_, {"arn": id_}
            case "aws:iam/user:User":
                return inputs["name"], {"arn": f"{arn}:iam::{ACCOUNT}:user/{inputs['name']}"}
            case "aws:sns/topic:Topic":
                id_ = f"{arn}:sns:{region}:{ACCOUNT}:{inputs['name']}"
                return id_, {"arn": id_}
            case "aws:cloudwatch/eventRule:EventRule":
                return inputs["name"], {"arn": f"{arn}:events:{region}:{ACCOUNT}:rule/{inputs['name']}"}
            case "aws:rds/instance:Instance":
                identifier = inputs["identifier"]
                return f"db-{number}", {
                    "arn": f"{arn}:rds:{region}:{ACCOUNT}:db:{identifier}",
                    "endpoint": f"{identifier}.{region}.rds.amazonaws.com:5432",
                    "masterUserSecrets": [
                        {
                            "secretArn": f"{arn}:secretsmanager:{region}:{ACCOUNT}:secret:rds!db-{number}",
                            "secretStatus": "active",
                            "kmsKeyId": inputs["masterUserSecretKmsKeyId"],
                        }
                    ],
                }
            case _ if type_ == BACKUP_REPLICATION:
                return f"{arn}:rds:{region}:{ACCOUNT}:auto-backup:ab-{number}", {}
            case "hcloud:index/primaryIp:PrimaryIp":
                return str(number), {"ipAddress": f"203.0.113.{number % 256}"}
            case "hcloud:index/loadBalancer:LoadBalancer":
                return str(number), {"ipv4": f"198.51.100.{number % 256}", "ipv6": f"2001:db8::{number:x}"}
            case "hcloud:index/networkSubnet:NetworkSubnet":
                return f"{int(inputs['networkId'])}-{inputs['ipRange']}", {}
            case "github:index/repository:Repository":
                return inputs["name"], {"htmlUrl": f"https://github.example/{inputs['name']}"}
            case _:
                # Hetzner's ids are numbers, given as text; a component that forgets to convert one sends text.
                return str(number) if type_.startswith("hcloud:") else f"{name}-{number}", {}

    def _region(self, provider: str) -> str:
        """The region of the provider that a resource was given."""
        urn = provider.rpartition("::")[0]
        for resource in self._deployment.resources:
            if resource.urn == urn:
                return str(resource.inputs.get("region", "no-region"))
        return "no-region"
