"""A local AWS on its own port, official clients for it, and tables that are used like by the engine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from localcloud.aws import Application, create_app
from localcloud.plugins.aws import PLUGIN
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.provider import changed_inputs, found_inputs
from localcloud.plugins.table import Props, ResourceType, creation_outputs

HERE, THERE = "eu-central-1", "eu-west-1"
TABLES = {entry.token: entry for entry in PLUGIN.resources}


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class LocalAws:
    endpoint: str
    application: Application

    def connect(self, **settings: Any) -> Cloud:
        connected: Cloud = PLUGIN.connect(
            {
                "region": HERE,
                "accessKey": "LKIATESTTESTTESTTEST",
                "secretKey": "nothing",
                "endpoints": [
                    dict.fromkeys(
                        (
                            "backup",
                            "cloudtrail",
                            "cloudwatch",
                            "ec2",
                            "events",
                            "iam",
                            "kms",
                            "logs",
                            "rds",
                            "s3",
                            "secretsmanager",
                            "sns",
                            "ssm",
                            "sts",
                        ),
                        self.endpoint,
                    )
                ],
                "defaultTags": {"tags": {"owner": "platform"}},
                **settings,
            },
            {"AWS_ENDPOINT_URL": self.endpoint},
        )
        return connected

    def client(self, service: str, region: str = HERE) -> Any:
        connected = self.connect()
        connected._endpoints = {service: self.endpoint}
        return connected.client(service, region)


@contextmanager
def local_aws(
    folder: Path | None = None, databases: Path | None = None, *, enforce_iam: bool = False
) -> Iterator[LocalAws]:
    """With a folder for `databases`, RDS has real servers."""
    application = create_app(folder, databases, enforce_iam=enforce_iam)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield LocalAws(f"http://127.0.0.1:{server.port}", application)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        application.close()


def a_network(aws: LocalAws) -> str:
    """A subnet group, whose name it gives."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{HERE}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    name = f"group-{vpc[-8:]}"
    aws.client("rds").create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="test", SubnetIds=subnets)
    return name


def a_database(aws: LocalAws, identifier: str, **asked: Any) -> Any:
    return aws.client("rds").create_db_instance(
        **{
            "DBInstanceIdentifier": identifier,
            "DBInstanceClass": "db.t4g.small",
            "Engine": "postgres",
            "AllocatedStorage": 20,
            "MasterUsername": "root",
            "ManageMasterUserPassword": True,
            **asked,
        }
    )["DBInstance"]


def a_key(aws: LocalAws, region: str = HERE) -> str:
    return str(aws.client("kms", region).create_key()["KeyMetadata"]["Arn"])


@dataclass
class Made:
    """A resource as the engine keeps it: declared inputs, id, and what was last read."""

    cloud: Cloud
    table: ResourceType
    inputs: Props
    identity: str
    outputs: Props

    @classmethod
    def create(cls, cloud: Cloud, token: str, **inputs: Any) -> Made:
        made = cls.create_unchecked(cloud, token, **inputs)
        made.must_be_as_declared()
        return made

    @classmethod
    def create_unchecked(cls, cloud: Cloud, token: str, **inputs: Any) -> Made:
        """Create a resource that may differ from its declaration at first, such as a restored database."""
        table = TABLES[token]
        assert set(inputs) <= set(table.properties)
        identity = table.create(cloud, inputs)
        if table.settle is not None:
            table.settle(cloud, identity, inputs)
        made = cls(cloud, table, inputs, identity, {})
        made.outputs = table.read(cloud, identity, {**inputs, **creation_outputs(identity)})
        if table.find is not None:
            found = table.find(cloud, inputs)
            assert found == identity, f"{token} finds {found}, not {identity}"
        return made

    def refresh_and_update(self) -> None:
        """Do what `pulumi up --refresh` does: change what differs from the declaration."""
        found = found_inputs(self.table, self.inputs, self.read(), importing=False)
        changed = frozenset(changed_inputs(self.table.properties, found, self.inputs))
        assert self.table.update is not None
        self.table.update(self.cloud, self.identity, {**self.outputs, **found}, self.inputs, changed)
        self.read()
        self.must_be_as_declared()

    def must_be_as_declared(self) -> None:
        """A refresh finds every output, no drift, and so does an import, which knows nothing but the id."""
        missing = {*self.table.computed, *self.inputs} - set(self.outputs) - self._write_only()
        assert not missing, f"{self.table.token} does not show {missing}"
        found = found_inputs(self.table, self.inputs, self.outputs, importing=False)
        drift = {key: found.get(key) for key in {*found, *self.inputs} if found.get(key) != self.inputs.get(key)}
        assert not drift, f"{self.table.token} drifts: {drift}"
        assert self.outputs["id"] == self.identity
        name = self.identity
        if "region" in self.table.properties:
            name += f"@{self.outputs['region']}"
        imported = self.table.read(self.cloud, name, {})
        assert imported["id"] == self.identity
        known = self._known(self.inputs)
        found = {
            key: value
            for key, value in found_inputs(self.table, known, imported, importing=True).items()
            if key in known
        }
        assert found == known, f"{self.table.token} is imported as {found} for {known}"

    def change(self, **changes: Any) -> None:
        """Change inputs in place (None takes one away); what replaces is the engine's business."""
        new = {key: value for key, value in {**self.inputs, **changes}.items() if value is not None}
        changed = frozenset(changed_inputs(self.table.properties, self.inputs, new))
        assert changed == set(changes), f"{self.table.token} sees changes of {set(changed)}, not of {set(changes)}"
        assert self.table.update is not None
        self.table.update(self.cloud, self.identity, {**self.outputs, **self.inputs}, new, changed)
        self.inputs = new
        self.read()
        self.must_be_as_declared()

    def read(self) -> Props:
        self.outputs = self.table.read(self.cloud, self.identity, {**self.outputs, **self.inputs})
        return self.outputs

    def drift(self) -> set[str]:
        """The inputs that a refresh finds to be other than declared."""
        found = found_inputs(self.table, self.inputs, self.read(), importing=False)
        return {key for key in {*found, *self.inputs} if found.get(key) != self.inputs.get(key)}

    def delete(self) -> None:
        self.table.delete(self.cloud, self.identity, {**self.outputs, **self.inputs})

    def _write_only(self) -> set[str]:
        return {key for key, rule in self.table.properties.items() if rule.write_only}

    def _known(self, props: Props) -> Props:
        """The inputs that a read can tell, where they were declared. Only a program can tell a version's prefix, and
        whether a parameter's value is public."""
        hidden = {*self._write_only(), "engineVersion", "insecureValue"}
        return {key: value for key, value in props.items() if key in self.inputs and key not in hidden}
