"""What other collections of rules check of the same resources, and where ours are.

Compared: AWS Config's managed rules and the CloudFormation Guard registry ("Config", "guard"), Checkov ("CKV"), Prowler
("PW"), Steampipe's AWS compliance mod ("SP"), and Pulumi's own packs: awsguard ("PG") and compliance-policies ("PC").
Their identifiers are theirs, in the versions of 2024 to 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Compared:
    """One thing that is checked."""

    what: str
    theirs: str
    """Their identifiers, as Markdown."""
    ours: tuple[str, ...] = ()
    """The policies that check it."""
    why: str = ""
    """How ours differ, or the reason why there is none."""


COMPARISON: Final = (
    Compared(
        "RDS backups are on, and kept long enough",
        "CKV_AWS_133; PW `rds_instance_backup_enabled`; Config, guard `DB_INSTANCE_BACKUP_ENABLED`;"
        " SP `rds_db_instance_backup_enabled`, `rds_db_instance_backup_retention_period_less_than_7`;"
        " PG `rds-instance-backup-enabled`; PC `aws-rds-instance-enable-backup-retention`,"
        " `aws-rds-instance-configure-backup-retention`",
        ("database-backup-retention",),
        "CKV_AWS_133 and PG let a retention pass that is left out, which with this provider is 0 days. Ours refuses it,"
        " and what is not known yet, and demands the plan's days.",
    ),
    Compared(
        "RDS backups are replicated to another region",
        "none",
        ("database-replicated", "database-replica-retention"),
        "Each database has a replication that points at it and lands in another region that the plan allows.",
    ),
    Compared(
        "Replicated backups have a key of ours",
        "CKV_AWS_245",
        ("database-replica-retention",),
        "And the key is in the region that is copied to.",
    ),
    Compared(
        "RDS is in a plan of AWS Backup",
        "PW `rds_instance_protected_by_backup_plan`; Config `RDS_IN_BACKUP_PLAN`,"
        " `RDS_RESOURCES_PROTECTED_BY_BACKUP_PLAN`; SP `rds_db_instance_in_backup_plan`,"
        " `rds_db_instance_protected_by_backup_plan`; CKV2_AWS_8",
        ("database-second-copy",),
    ),
    Compared(
        "The last recovery point is fresh; a restore meets its time",
        "Config `RDS_LAST_BACKUP_RECOVERY_POINT_CREATED`, `RDS_MEETS_RESTORE_TIME_TARGET`, and the same for S3",
        why="It is a fact about what runs, and not about what is declared: `continuity drill recovery` measures it.",
    ),
    Compared(
        "A backup plan is frequent, and keeps for long; recovery points are encrypted and cannot be deleted",
        "Config, guard `BACKUP_PLAN_MIN_FREQUENCY_AND_MIN_RETENTION_CHECK`; Config"
        " `BACKUP_RECOVERY_POINT_MINIMUM_RETENTION_CHECK`, `BACKUP_RECOVERY_POINT_ENCRYPTED`,"
        " `BACKUP_RECOVERY_POINT_MANUAL_DELETION_DISABLED`; SP `backup_plan_min_retention_35_days`,"
        " `backup_recovery_point_min_retention_35_days`, `backup_recovery_point_manual_deletion_disabled`,"
        " `backup_plan_region_configured`, `backup_vault_region_configured`;"
        " PW `backup_recovery_point_encrypted`",
        ("backup-plan-daily", "backup-vault-retention", "backup-vault-locked", "aws-region-in-eu"),
        "Deletion is prevented by the vault's lock, and not by a policy on the vault that an administrator can change.",
    ),
    Compared(
        "There is a backup plan, a vault, a report plan, an audit framework",
        "PW `backup_plans_exist`, `backup_vaults_exist`, `backup_reportplans_exist`;"
        " SP `backup_report_plan_configured`",
        ("database-second-copy",),
        "That one exists says nothing. Ours asks of each database whether one is for it. A report plan is left out: the"
        " drill's log is the report.",
    ),
    Compared("A vault has a key of ours", "CKV_AWS_166; PW `backup_vaults_encrypted`", ("backup-vault-retention",)),
    Compared(
        "A vault is locked",
        "only as a parameter of Config `RDS_RESOURCES_PROTECTED_BY_BACKUP_PLAN`",
        ("backup-vault-locked", "backup-vault-retention"),
    ),
    Compared(
        "RDS storage is encrypted",
        "CKV_AWS_16; PW `rds_instance_storage_encrypted`; Config, guard `RDS_STORAGE_ENCRYPTED`;"
        " SP `rds_db_instance_encryption_at_rest_enabled`; PG `rds-storage-encrypted`;"
        " PC `aws-rds-instance-disallow-unencrypted-storage`, `aws-rds-instance-configure-customer-managed-key`",
        ("database-encrypted",),
        "With a key of ours, in the database's region.",
    ),
    Compared(
        "Snapshots and copies are encrypted and not public",
        "CKV_AWS_266, CKV_AWS_302, CKV_AWS_146; PW `rds_snapshots_encrypted`, `rds_snapshots_public_access`;"
        " Config `RDS_SNAPSHOT_ENCRYPTED`, `RDS_SNAPSHOTS_PUBLIC_PROHIBITED`;"
        " SP `rds_db_snapshot_encrypted_at_rest`, `rds_db_snapshot_prohibit_public_access`",
        ("no-public-principal", "database-encrypted"),
        "A snapshot of an encrypted database is encrypted, and there is no other kind of database here.",
    ),
    Compared(
        "RDS deletion protection",
        "CKV_AWS_293, CKV_AWS_139; PW `rds_instance_deletion_protection`;"
        " Config, guard `RDS_INSTANCE_DELETION_PROTECTION_ENABLED`;"
        " SP `rds_db_instance_deletion_protection_enabled`",
        ("database-protected", "protected-in-pulumi"),
    ),
    Compared("Automated backups and a final snapshot outlive the database", "none", ("database-backups-kept",)),
    Compared(
        "RDS in two zones",
        "CKV_AWS_157; PW `rds_instance_multi_az`; Config, guard `RDS_MULTI_AZ_SUPPORT`;"
        " SP `rds_db_instance_multiple_az_enabled`; PG `rds-instance-multi-az-enabled`",
        ("database-multi-az",),
        "Of a restored database too.",
    ),
    Compared(
        "RDS is not public",
        "CKV_AWS_17; PW `rds_instance_no_public_access`; Config, guard `RDS_INSTANCE_PUBLIC_ACCESS_CHECK`;"
        " Config `RDS_INSTANCE_SUBNET_IGW_CHECK`; SP `rds_db_instance_prohibit_public_access`,"
        " `rds_db_instance_no_public_subnet`; PG `rds-instance-public-access`;"
        " PC `aws-rds-instance-disallow-public-access`",
        ("database-private-network", "database-ingress-hosts-only", "no-open-ingress", "database-over-tls"),
        "The hosts are at another provider, so the database has a public address. Ours checks what that is meant to"
        " prevent: nobody is admitted but the addresses of the stack's own hosts, one by one, and only over TLS.",
    ),
    Compared(
        "RDS forces TLS",
        "CKV2_AWS_69; PW `rds_instance_transport_encrypted`; Config `RDS_POSTGRES_INSTANCE_ENCRYPTED_IN_TRANSIT`;"
        " SP `rds_db_instance_connections_encryption_enabled`",
        ("database-over-tls", "database-parameter-group-in-stack"),
        "CKV2_AWS_69 lets a database without a parameter group pass. Ours refuses it, and a group of another stack.",
    ),
    Compared(
        "IAM authentication, logs, minor upgrades",
        "CKV_AWS_161, CKV_AWS_129, CKV2_AWS_30, CKV_AWS_226; PW `rds_instance_iam_authentication_enabled`,"
        " `rds_instance_integration_cloudwatch_logs`, `rds_instance_minor_version_upgrade_enabled`;"
        " Config `RDS_INSTANCE_IAM_AUTHENTICATION_ENABLED`, `RDS_LOGGING_ENABLED`,"
        " `RDS_AUTOMATIC_MINOR_VERSION_UPGRADE_ENABLED`; SP `rds_db_instance_iam_authentication_enabled`",
        ("database-maintained",),
        "As advice: the plan promises none of it.",
    ),
    Compared(
        "Certificate authority, extended support, event subscriptions, enhanced monitoring",
        "CKV_AWS_211, CKV_AWS_118; PW `rds_instance_certificate_expiration`, `rds_instance_extended_support`,"
        " `rds_instance_critical_event_subscription`",
        why="They cost or warn, and neither keep nor lose data; the component sets the first two.",
    ),
    Compared(
        "Tags are copied to snapshots",
        "CKV2_AWS_60; PW `rds_instance_copy_tags_to_snapshots`",
        ("database-backups-kept",),
    ),
    Compared(
        "No password in the program; secrets are encrypted and rotated",
        "guard `RDS_MASTER_USER_PASSWORD_NO_PLAINTEXT_PASSWORD`; Config `SECRETSMANAGER_ROTATION_ENABLED_CHECK`,"
        " `SECRETSMANAGER_USING_CMK`; CKV_AWS_149, CKV2_AWS_57; PW `secretsmanager_automatic_rotation_enabled`;"
        " PC `aws-secretsmanager-secret-configure-customer-managed-key`",
        ("database-password-managed", "secret-recoverable", "secret-replicated"),
        "RDS rotates the database's password itself. The application's secrets are keys of other companies' services,"
        " which nothing at AWS can rotate: people do.",
    ),
    Compared(
        "KMS keys are rotated, not about to be deleted, and open to somebody in particular",
        "CKV_AWS_7, CKV_AWS_33, CKV_AWS_227, CKV2_AWS_64; PW `kms_cmk_rotation_enabled`,"
        " `kms_cmk_not_deleted_unintentionally`; Config, guard `CMK_BACKING_KEY_ROTATION_ENABLED`,"
        " `KMS_CMK_NOT_SCHEDULED_FOR_DELETION`, guard `KMS_NO_WILDCARD_PRINCIPAL`; SP `kms_cmk_rotation_enabled`,"
        " `kms_key_not_pending_deletion`; PG `cmk-backing-key-rotation-enabled`;"
        " PC `aws-kms-key-enable-key-rotation`",
        ("key-rotated", "key-deletion-window", "no-public-principal", "protected-in-pulumi"),
    ),
    Compared(
        "KMS keys are in one region",
        "PW `kms_cmk_not_multi_region`",
        ("aws-region-in-eu",),
        "A replica of a key is a resource, and its region is judged like any other's.",
    ),
    Compared(
        "S3 versioning",
        "CKV_AWS_21; PW `s3_bucket_object_versioning`; Config, guard `S3_BUCKET_VERSIONING_ENABLED`;"
        " SP `s3_bucket_versioning_enabled`",
        ("bucket-versioned", "bucket-baseline", "bucket-versions-kept"),
        "And no rule takes the versions away before the plan's days.",
    ),
    Compared(
        "S3 replication to another region",
        "CKV_AWS_144; PW `s3_bucket_cross_region_replication`; Config `S3_BUCKET_CROSS_REGION_REPLICATION_ENABLED`;"
        " Config, guard `S3_BUCKET_REPLICATION_ENABLED`; SP `s3_bucket_cross_region_replication_enabled`;"
        " PC `aws-s3-bucket-enable-replication-configuration`, `aws-s3-bucket-configure-replication-configuration`",
        ("bucket-replication-complete", "bucket-replicated"),
        "Most of theirs look at the status alone. Ours demands that encrypted objects are copied too, in the time that"
        " S3 promises, under a key of another region.",
    ),
    Compared(
        "S3 object lock",
        "CKV_AWS_143; PW `s3_bucket_object_lock`; Config, guard `S3_BUCKET_DEFAULT_LOCK_ENABLED`;"
        " SP `s3_bucket_object_lock_enabled`",
        ("bucket-force-destroy-off", "bucket-locked", "bucket-baseline"),
    ),
    Compared(
        "S3 MFA delete",
        "PW `s3_bucket_no_mfa_delete`; Config `S3_BUCKET_MFA_DELETE_ENABLED`",
        why="Only the account's root user can switch it on, by hand. The lock on versions does what it is for.",
    ),
    Compared(
        "S3 encryption, TLS, no public access",
        "CKV_AWS_19, CKV_AWS_145, CKV_AWS_53 to 56, CKV2_AWS_6, CKV_AWS_379, CKV_AWS_70;"
        " PW `s3_bucket_kms_encryption`, `s3_bucket_secure_transport_policy`, `s3_bucket_level_public_access_block`,"
        " `s3_account_level_public_access_blocks`; Config, guard `S3_DEFAULT_ENCRYPTION_KMS`,"
        " `S3_BUCKET_SSL_REQUESTS_ONLY`, `S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED`; SP `s3_bucket_enforces_ssl`,"
        " `s3_public_access_block_bucket`; PC `aws-s3-bucket-configure-server-side-encryption-kms`,"
        " `aws-s3-bucket-disallow-public-read`",
        ("bucket-encrypted", "bucket-over-tls", "bucket-private", "no-public-principal", "bucket-baseline"),
        "Of each bucket. The block for the account as a whole is a setting of the account's bootstrap.",
    ),
    Compared(
        "S3 access logs, event notifications",
        "CKV_AWS_18, CKV2_AWS_62; PW `s3_bucket_server_access_logging_enabled`",
        why="They neither keep data nor keep them in. A bucket with a lock cannot hold access logs either.",
    ),
    Compared(
        "Security groups are closed",
        "CKV_AWS_24, CKV_AWS_25, CKV_AWS_260; PW `ec2_securitygroup_allow_ingress_from_internet_to_any_port`;"
        " Config, guard `INCOMING_SSH_DISABLED`; SP `vpc_security_group_restrict_ingress_ssh_all`;"
        " PG `restricted-incoming-traffic`",
        ("no-open-ingress", "host-firewalled"),
        "Theirs refuse the whole internet. Ours refuses every range of more than one host.",
    ),
    Compared(
        "IAM: no administrators by wildcard, MFA, no access keys",
        "CKV_AWS_62, CKV_AWS_63, CKV_AWS_273; PW `iam_policy_attached_only_to_group_or_roles`,"
        " `iam_aws_attached_policy_no_administrative_privileges`, `iam_user_mfa_enabled_console_access`;"
        " Config, guard `IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS`; SP `iam_user_mfa_enabled`",
        ("no-wildcard-administrator", "mfa-required"),
        "Of roles that are declared. Whether each person has MFA is read from AWS and GitHub, not from a program.",
    ),
    Compared(
        "Load balancers and hosts cannot be deleted by mistake",
        "CKV_AWS_150; PG `elb-deletion-protection-enabled`: of AWS alone. None knows Hetzner",
        ("hetzner-protected", "protected-in-pulumi"),
    ),
    Compared(
        "Load balancers over TLS",
        "CKV_AWS_2, CKV_AWS_103; PW `elbv2_insecure_ssl_ciphers`; PG `alb-http-to-https-redirection`: of AWS alone",
        ("load-balancer-over-tls",),
        "Hetzner chooses the ciphers.",
    ),
    Compared(
        "Hosts: enough of them, in pools, spread, checked for health",
        "none for Hetzner",
        (
            "pool-redundant",
            "host-labelled",
            "host-spread",
            "load-balancer-checks-health",
            "load-balancer-baseline",
            "dns-record-ttl",
        ),
    ),
    Compared(
        "Everything is in the regions that are allowed",
        "PW `organizations_scp_check_deny_regions`, at run time; no other collection has it",
        ("aws-region-in-eu", "aws-region-in-arguments", "hetzner-location-in-eu", "provider-allowed"),
        "PW's lets a policy pass that allows more than the list, and its list is empty by default. Ours judges what is"
        " declared, wherever the place is written, and refuses what it does not know.",
    ),
    Compared(
        "Models run in the EU",
        "PW and Checkov check Bedrock's logging, guardrails and networks; none checks where a model runs",
        ("inference-in-eu",),
    ),
    Compared(
        "DynamoDB: recovery to a point in time, protection, encryption",
        "CKV_AWS_28, CKV_AWS_119; PW `dynamodb_tables_pitr_enabled`, `dynamodb_table_deletion_protection_enabled`;"
        " Config, guard `DYNAMODB_PITR_ENABLED`; SP `dynamodb_table_point_in_time_recovery_enabled`",
        ("table-recoverable", "database-second-copy"),
    ),
    Compared(
        "Other stores: their encryption, backups, protection",
        "many, for Aurora, Redshift, EFS, ElastiCache, OpenSearch and more",
        ("data-store-reviewed",),
        "None of these is used, so each is refused by name until somebody writes the policy on its backups.",
    ),
    Compared(
        "Disaster recovery has been exercised",
        "PW `drs_job_exist`; SP `drs_job_enabled`",
        why="A job that exists proves nothing. `continuity drill` recovers, measures and records.",
    ),
    Compared(
        "The repository: branch protection, visibility, reviews",
        "CKV_GIT_1 to 6; PW `repository_default_branch_protection_enabled`, `organization_members_mfa_required`",
        ("repository-private", "repository-protected", "branch-protected"),
        "That the organisation's members have MFA can be read and not declared: GitHub's API has no setting for it.",
    ),
)
