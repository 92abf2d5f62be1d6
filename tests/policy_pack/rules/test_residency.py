"""The policies on where things are: refused, allowed, left out, and not known yet."""

from __future__ import annotations

import json

import pytest

from plan.geography import AWS_EU_REGIONS
from policy_pack import UNKNOWN, Provider, Resource, judge
from tests.policy_pack.resources import ACCOUNT, HOME, PLAN, RECOVERY, aws_provider, refused, resource, violations

BUCKET = "aws:s3/bucket:Bucket"
VOLUME = "hcloud:index/volume:Volume"
SERVER = "hcloud:index/server:Server"
BALANCER = "hcloud:index/loadBalancer:LoadBalancer"
SUBNET = "hcloud:index/networkSubnet:NetworkSubnet"

BY_PROVIDER = "region of its provider 'aws'"


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        # Its provider's region counts where the resource has no region.
        (resource(BUCKET), {}),
        (resource(BUCKET, {"region": RECOVERY}), {}),
        (resource(BUCKET, {"region": RECOVERY}, aws_provider()), {}),
        (resource(BUCKET, {"region": RECOVERY}, aws_provider(region="us-east-1")), {}),
        (resource(BUCKET, {"region": "us-east-1"}), {"region": "us-east-1"}),
        (resource(BUCKET, {"region": None}, aws_provider(region="us-east-1")), {BY_PROVIDER: "us-east-1"}),
        (resource(BUCKET, {}, aws_provider(region="eu-west-2")), {BY_PROVIDER: "eu-west-2"}),
        # The EU is not enough: the plan has to have allowed it.
        (resource(BUCKET, {}, aws_provider(region="eu-central-1")), {BY_PROVIDER: "eu-central-1"}),
        # Left out.
        (resource(BUCKET, {}, aws_provider()), {BY_PROVIDER: None}),
        (resource(BUCKET, {}, aws_provider(region="")), {BY_PROVIDER: ""}),
        (Resource(BUCKET, "it", {}), {"region": None}),
        # Not known yet: neither may the other place decide, nor chance.
        (resource(BUCKET, {"region": UNKNOWN}), {"region": UNKNOWN}),
        (resource(BUCKET, {}, aws_provider(region=UNKNOWN)), {BY_PROVIDER: UNKNOWN}),
        # Not even text.
        (resource(BUCKET, {"region": [HOME]}), {"region": [HOME]}),
        # The provider itself.
        (resource("pulumi:providers:aws", {"region": HOME}), {}),
        (resource("pulumi:providers:aws", {"region": "us-east-1"}), {"region": "us-east-1"}),
        (resource("pulumi:providers:aws", {"region": UNKNOWN}), {"region": UNKNOWN}),
        (resource("pulumi:providers:aws", {}), {"region": None}),
        # AWS keeps these for the account as a whole. They contain no data of a customer.
        (resource("aws:iam/role:Role", {}, aws_provider()), {}),
        (resource("aws:route53/zone:Zone", {}, aws_provider()), {}),
        (resource("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", {}, aws_provider()), {}),
        (resource("aws:notifications/organizationsAccess:OrganizationsAccess", {}, aws_provider()), {}),
        # The rest of those modules is not.
        (resource("aws:route53/resolverRule:ResolverRule", {}, aws_provider()), {BY_PROVIDER: None}),
        (resource("aws:s3/bucketPolicy:BucketPolicy", {}, aws_provider()), {BY_PROVIDER: None}),
        # These are everywhere, regardless of the provider's region.
        (resource("aws:cloudfront/distribution:Distribution"), {"type": "aws:cloudfront/distribution:Distribution"}),
        (resource("aws:notifications/eventRule:EventRule"), {"type": "aws:notifications/eventRule:EventRule"}),
        # Others' resources have their own policies.
        (resource("hcloud:index/sshKey:SshKey"), {}),
    ],
)
def test_a_resource_of_aws_is_in_a_region_of_the_plan(judged: Resource, expected: dict[str, object]) -> None:
    assert refused(judged, "aws-region-in-eu") == expected


def test_a_region_that_only_the_environment_names_is_refused_with_where_to_write_it() -> None:
    (violation,) = violations(resource(BUCKET, {}, aws_provider()), "aws-region-in-eu")
    assert "`aws:region` in the stack's configuration" in violation.message
    assert "AWS_REGION" in violation.message


def arn(region: str, service: str = "kms") -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:key/1"


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"kmsKeyId": arn(RECOVERY)}, {}),
        ({"kmsKeyId": arn("us-east-1")}, {"kmsKeyId": "arn:aws:kms:us-east-1:"}),
        ({"kmsKeyId": arn("eu-west-2")}, {"kmsKeyId": "arn:aws:kms:eu-west-2:"}),
        ({}, {}),
        ({"kmsKeyId": UNKNOWN}, {}),
        # ARNs without a region say nothing about one; a pattern that reaches every region says all of them.
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "bucket": "arn:aws:s3:::logs"}, {}),
        ({"resource": f"arn:aws:logs:*:{ACCOUNT}:*"}, {"resource": "arn:aws:logs:*:"}),
        ({"resource": "arn:aws:kms:eu-*:1:key/*"}, {"resource": "arn:aws:kms:eu-*:"}),
        # Other partitions, regardless of the region.
        ({"roleArn": "arn:aws-us-gov:iam::1:role/x"}, {"roleArn": "arn:aws-us-gov:iam::"}),
        ({"topic": "arn:aws-cn:sns:cn-north-1:1:t"}, {"topic": "arn:aws-cn:sns:cn-north-1:"}),
        ({"topic": f"arn:*:sns:{HOME}:1:t"}, {"topic": f"arn:*:sns:{HOME}:"}),
        # Anywhere: in lists, in keys, in JSON, in JSON inside of JSON, in prose.
        (
            {"rules": [{"copyActions": [{"destinationVaultArn": arn("ap-south-1", "backup")}]}]},
            {"rules[0].copyActions[0].destinationVaultArn": "arn:aws:backup:ap-south-1:"},
        ),
        ({"condition": {arn("us-west-2"): "x"}}, {f"condition.{arn('us-west-2')}": "arn:aws:kms:us-west-2:"}),
        ({"policy": json.dumps({"Statement": [{"Resource": arn("us-east-2")}]})}, {"policy": "arn:aws:kms:us-east-2:"}),
        (
            {"body": json.dumps({"inner": json.dumps({"Resource": [arn(HOME), arn("us-east-2")]})})},
            {"body": "arn:aws:kms:us-east-2:"},
        ),
        ({"description": f"copies to {arn('us-east-1')}."}, {"description": "arn:aws:kms:us-east-1:"}),
        ({"tags": {"key": arn("us-east-1")}}, {"tags.key": "arn:aws:kms:us-east-1:"}),
        # Zones.
        ({"availabilityZone": f"{HOME}a"}, {}),
        ({"availabilityZone": "us-east-1a"}, {"availabilityZone": "us-east-1a"}),
        ({"availabilityZone": f"{HOME}-osl-1a"}, {"availabilityZone": f"{HOME}-osl-1a"}),
        ({"availabilityZone": "somewhere"}, {"availabilityZone": "somewhere"}),
        ({"availabilityZone": UNKNOWN}, {}),
        ({"availabilityZones": [f"{HOME}b", "eu-west-2b"]}, {"availabilityZones[1]": "eu-west-2b"}),
        ({"subnets": [{"zone": "us-west-2-lax-1a"}]}, {"subnets[0].zone": "us-west-2-lax-1a"}),
        ({"availabilityZoneId": "eun1-az1"}, {}),
        ({"availabilityZoneId": "use1-az1"}, {"availabilityZoneId": "use1-az1"}),
        ({"availabilityZoneRebalancing": "ENABLED"}, {}),
        # Regions in a separate property.
        ({"replicas": [{"region": RECOVERY}]}, {}),
        ({"replicas": [{"region": "us-east-1"}]}, {"replicas[0].region": "us-east-1"}),
        ({"regions": {"eu-central-2": {}}}, {"regions.eu-central-2": "eu-central-2"}),
        ({"peerRegion": "eu-west-2"}, {"peerRegion": "eu-west-2"}),
        ({"stateOrRegion": "Berlin"}, {}),
        ({"tags": {"copied-from": "us-east-1"}}, {}),
        # Hosts, and what a customer or we have named like a region.
        ({"endpoint": f"https://sqs.{HOME}.amazonaws.com/1/q"}, {}),
        ({"endpoint": "https://sqs.us-east-1.amazonaws.com/1/q"}, {"a host's region in endpoint": "us-east-1"}),
        ({"host": "s3-us-west-2.amazonaws.com"}, {"a host's region in host": "us-west-2"}),
        ({"url": "https://x.lambda-url.us-east-1.on.aws/"}, {"a host's region in url": "us-east-1"}),
        ({"serviceName": "com.amazonaws.eu-west-2.s3"}, {"a host's region in serviceName": "eu-west-2"}),
        ({"host": f"db-prod-1.abc.{HOME}.rds.amazonaws.com"}, {}),
        ({"host": f"logsus-east-1.s3.{HOME}.amazonaws.com"}, {}),
        ({"name": "us-east-1-of-many"}, {}),
        # A different policy judges the resource's own region.
        ({"region": "us-east-1"}, {}),
    ],
)
def test_no_argument_of_aws_leads_out_of_the_plans_regions(
    props: dict[str, object], expected: dict[str, object]
) -> None:
    assert refused(resource(BUCKET, props), "aws-region-in-arguments") == expected


def test_the_arguments_of_a_provider_are_judged_too() -> None:
    endpoints = [{"s3": "https://s3.us-east-1.amazonaws.com"}]
    provider = resource("pulumi:providers:aws", {"region": HOME, "endpoints": endpoints})
    assert refused(provider, "aws-region-in-arguments") == {"a host's region in endpoints[0].s3": "us-east-1"}


@pytest.mark.parametrize("region", sorted(AWS_EU_REGIONS))
def test_every_region_that_a_plan_can_allow_is_known_by_its_zones(region: str) -> None:
    allowed = "eu-south-1" if region == HOME else region
    plan = PLAN.model_copy(
        update={
            "residency": PLAN.residency.model_copy(
                update={"aws": PLAN.residency.aws.model_copy(update={"allowed_regions": (allowed,)})}
            )
        }
    )
    for props, expected in (
        ({"region": allowed, "availabilityZone": f"{allowed}a", "kmsKeyId": arn(allowed)}, 0),
        ({"region": allowed, "availabilityZone": f"{HOME}a", "kmsKeyId": arn(HOME)}, 2),
    ):
        about_places = [one for one in judge(resource(BUCKET, props), plan) if one.policy.id.startswith("aws-region")]
        assert len(about_places) == expected


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (resource(SERVER, {"location": "nbg1"}), {}),
        (resource(SERVER, {"location": "ash"}), {"location": "ash"}),
        # In the EU, and not in this plan.
        (resource(SERVER, {"location": "fsn1"}), {"location": "fsn1"}),
        (resource(SERVER, {}), {"location": None}),
        (resource(SERVER, {"location": ""}), {"location": ""}),
        (resource(SERVER, {"location": UNKNOWN}), {"location": UNKNOWN}),
        (resource(SERVER, {"location": "nbg1", "datacenter": "nbg1-dc3"}), {"datacenter": "nbg1-dc3"}),
        (resource(SERVER, {"datacenter": "nbg1-dc3"}), {"datacenter": "nbg1-dc3", "location": None}),
        (resource("hcloud:index/primaryIp:PrimaryIp", {"assigneeId": 1}), {"location": None}),
        (resource("hcloud:index/primaryIp:PrimaryIp", {"location": "hel1"}), {}),
        (resource(VOLUME, {"serverId": 1}), {"location": None}),
        (resource(VOLUME, {"location": "hil"}), {"location": "hil"}),
        (resource(VOLUME, {"location": "hel1"}), {}),
        (resource("hcloud:index/floatingIp:FloatingIp", {"homeLocation": "hel1"}), {}),
        (resource("hcloud:index/floatingIp:FloatingIp", {"location": "hel1"}), {"homeLocation": None}),
        (resource("hcloud:index/storageBox:StorageBox", {"location": "sin"}), {"location": "sin"}),
        # A load balancer may have either, and then both count.
        (resource(BALANCER, {"location": "nbg1"}), {}),
        (resource(BALANCER, {"networkZone": "eu-central"}), {}),
        (resource(BALANCER, {}), {"location or networkZone": None}),
        (resource(BALANCER, {"location": "nbg1", "networkZone": "us-east"}), {"networkZone": "us-east"}),
        (resource(BALANCER, {"location": "sin", "networkZone": "eu-central"}), {"location": "sin"}),
        (resource(BALANCER, {"networkZone": UNKNOWN}), {"networkZone": UNKNOWN}),
        (resource(SUBNET, {"networkZone": "eu-central"}), {}),
        (resource(SUBNET, {"networkZone": "ap-southeast"}), {"networkZone": "ap-southeast"}),
        (resource(SUBNET, {}), {"networkZone": None}),
        # Without a place.
        (resource("hcloud:index/network:Network", {"ipRange": "10.0.0.0/16"}), {}),
        (resource("hcloud:index/loadBalancerTarget:LoadBalancerTarget", {}), {}),
        (resource("pulumi:providers:hcloud", {}), {}),
        # Not in the tables.
        (resource("hcloud:index/database:Database", {"location": "nbg1"}), {"type": "hcloud:index/database:Database"}),
    ],
)
def test_a_resource_of_hetzner_is_in_a_location_of_the_plan(judged: Resource, expected: dict[str, object]) -> None:
    assert refused(judged, "hetzner-location-in-eu") == expected


ELSEWHERE = "the package of its provider"


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        (resource(BUCKET), {}),
        (resource(SERVER), {}),
        (resource("github:index/repository:Repository"), {}),
        (resource("pulumi:pulumi:StackReference"), {}),
        (resource("pulumi:providers:github", {}), {}),
        (resource("gcp:storage/bucket:Bucket"), {ELSEWHERE: "gcp"}),
        (resource("aws-native:rds:DBInstance"), {ELSEWHERE: "aws-native"}),
        (resource("pulumi-python:dynamic:Resource"), {ELSEWHERE: "pulumi-python"}),
        (resource("pulumi:providers:azure-native", {}), {ELSEWHERE: "azure-native"}),
        # A component is judged by what is in it.
        (Resource("botbrains:database:Database", "main", {}), {}),
        # A provider without a name.
        (Resource("elsewhere:index:Thing", "it", {}, Provider("", "", {})), {ELSEWHERE: "elsewhere"}),
    ],
)
def test_a_provider_that_no_policy_judges_is_refused(judged: Resource, expected: dict[str, object]) -> None:
    assert refused(judged, "provider-allowed") == expected
