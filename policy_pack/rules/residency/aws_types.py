"""Tables of the types of AWS resources, by how AWS stores them: in a region, for the account, or worldwide.

Nearly every resource of AWS is in a region: its own `region`, or its provider's. These modules are in
`REGIONAL`. The others are in one of two tables, by whole modules (`iam`) where all of a module is alike, and
otherwise by type (`s3/accountPublic...`), which count before the module. A type that is in no table is refused: it may
be a new service, and its storage location has not been reviewed.
"""

from __future__ import annotations

from typing import Final

GLOBAL: Final[frozenset[str]] = frozenset(
    {
        # Permissions. AWS keeps them for the account as a whole, and they contain no customer's data.
        "iam",
        "organizations",
        "account",
        "ram/sharingWithOrganization",
        "s3/accountPublicAccessBlock",
        # Switches and forms of the account or of the organisation.
        "backup/globalSettings",
        "bedrock/useCaseForModelAccess",
        "cloudtrail/organizationDelegatedAdminAccount",
        "ec2/vpcIpamOrganizationAdminAccount",
        "fms/adminAccount",
        "notifications/organizationsAccess",
        "servicecatalog/organizationsAccess",
        "uxc/accountCustomizations",
        # Public names, which anyone may query. Resolvers and their rules, in the same module, are in a region.
        "route53/cidrCollection",
        "route53/cidrLocation",
        "route53/delegationSet",
        "route53/healthCheck",
        "route53/hostedZoneDnsSec",
        "route53/keySigningKey",
        "route53/queryLog",
        "route53/record",
        "route53/recordsExclusive",
        "route53/trafficPolicy",
        "route53/trafficPolicyInstance",
        "route53/vpcAssociationAuthorization",
        "route53/zone",
        "route53/zoneAssociation",
        "route53domains",
        # Protection against floods of traffic, attached to resources that are judged themselves.
        "shield",
        # Money. A report goes to a bucket, whose region is judged as an argument.
        "bcmdata",
        "billing",
        "budgets",
        "costexplorer",
        "costoptimizationhub",
        "cur",
        "pricingplanmanager",
        "savingsplans",
    }
)
"""Accepted without a region: AWS keeps them for the account as a whole, and no customer's data is in them."""

WORLDWIDE: Final[frozenset[str]] = frozenset(
    {
        # Take in, and keep copies of, what passes through them at edge locations all over the world.
        "cloudfront",
        "globalaccelerator",
        # The rules for the first of these.
        "waf",
        # One network over whichever regions a policy document names.
        "networkmanager",
        "directconnect/gateway",
        # Clusters that AWS spreads over five regions, four of them outside the EU.
        "route53recoverycontrol",
        "route53recoveryreadiness",
        # Keep events or recordings where AWS chooses.
        "chime/sdkvoiceGlobalSettings",
        "notifications",
    }
)
"""Refused: AWS also keeps their data outside the EU, regardless of the region that is set."""


REGIONAL: Final[frozenset[str]] = frozenset(
    {
        "accessanalyzer", "accountaccess", "acm", "acmpca", "agentregistry", "alb", "amp", "amplify", "apigateway",
        "apigatewayv2", "appautoscaling", "appconfig", "appfabric", "appflow", "appintegrations",
        "applicationinsights", "appmesh", "apprunner", "appstream", "appsync", "arcregionswitch", "arczonalshift",
        "athena", "auditmanager", "autoscaling", "autoscalingplans", "backup", "batch", "bedrock",
        "bedrockfoundation", "bedrockmodel", "cfg", "chatbot", "chime", "chimesdkmediapipelines", "cleanrooms",
        "cloud9", "cloudcontrol", "cloudformation", "cloudhsmv2", "cloudsearch", "cloudtrail", "cloudwatch",
        "cloudwatchomni", "codeartifact", "codebuild", "codecatalyst", "codecommit", "codeconnections", "codedeploy",
        "codeguruprofiler", "codegurureviewer", "codepipeline", "codestarconnections", "codestarnotifications",
        "cognito", "comprehend", "computeoptimizer", "connect", "controltower", "customerprofiles", "dataexchange",
        "datapipeline", "datasync", "datazone", "dax", "detective", "devicefarm", "devopsagent", "devopsguru",
        "directconnect", "directoryservice", "directoryservicedata", "dlm", "dms", "docdb", "drs", "dsql", "dynamodb",
        "ebs", "ec2", "ec2clientvpn", "ec2transitgateway", "ecr", "ecrpublic", "ecs", "efs", "eks", "elasticache",
        "elasticbeanstalk", "elasticsearch", "elastictranscoder", "elb", "emr", "emrcontainers", "emrserverless",
        "evidently", "finspace", "fis", "fms", "fsx", "gamelift", "glacier", "glue", "grafana", "guardduty",
        "identitystore", "imagebuilder", "inspector", "inspector2", "invoicing", "iot", "ivs", "ivschat", "kendra",
        "keyspaces", "kinesis", "kinesisanalyticsv2", "kms", "lakeformation", "lambda", "lambdamicrovms", "lb", "lex",
        "licensemanager", "lightsail", "location", "m2", "macie", "macie2", "mailmanager", "mediaconvert",
        "medialive", "mediapackage", "mediapackagev2", "mediastore", "memorydb", "mq", "msk", "mskconnect", "mwaa",
        "neptune", "neptunegraph", "networkfirewall", "networkflowmonitor", "networkmonitor", "oam",
        "observabilityadmin", "odb", "opensearch", "opensearchingest", "outposts", "paymentcryptography", "pinpoint",
        "pipes", "qbusiness", "qldb", "quicksight", "ram", "rbin", "rds", "redshift", "redshiftdata",
        "redshiftserverless", "rekognition", "resiliencehub", "resourceexplorer", "resourcegroups", "rolesanywhere",
        "route53", "rum", "s3", "s3control", "s3outposts", "s3tables", "sagemaker", "scheduler", "schemas",
        "secretsmanager", "securityhub", "securitylake", "serverlessrepository", "servicecatalog", "servicediscovery",
        "servicequotas", "ses", "sesv2", "sfn", "signer", "sns", "sqs", "ssm", "ssmcontacts", "ssmincidents",
        "ssoadmin", "storagegateway", "swf", "synthetics", "timestreaminfluxdb", "timestreamquery", "timestreamwrite",
        "transcribe", "transfer", "verifiedaccess", "verifiedpermissions", "vpc", "vpclattice", "wafregional",
        "wafv2", "workmail", "workspaces", "workspacesweb", "xray",
    }
)  # fmt: skip
"""Modules whose resources are in the region that they, or their providers, are given."""


def is_known(type_: str) -> bool:
    """Whether it is known where a type is: in a region, or for the account as a whole, or in all the world."""
    return _within(type_, REGIONAL) or _within(type_, GLOBAL) or _within(type_, WORLDWIDE) or type_ == _PROVIDER


_PROVIDER: Final = "pulumi:providers:aws"


def is_global(type_: str) -> bool:
    """Whether AWS keeps a type for the account as a whole."""
    return _within(type_, GLOBAL)


def is_worldwide(type_: str) -> bool:
    """Whether a type cannot be held to the EU. A type that is also in `GLOBAL` by its own name can."""
    return _within(type_, WORLDWIDE) and not is_global(type_)


def _within(type_: str, table: frozenset[str]) -> bool:
    # aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock
    path = type_.partition(":")[2].partition(":")[0]
    return path in table or path.partition("/")[0] in table
