"""The settings of the stacks: read from `Pulumi.<stack>.yaml`, typed, and validated once."""

from stacks.settings.model import GitHubSettings, ProductionSettings, RecoverySettings, VaultSettings, load

__all__ = ["GitHubSettings", "ProductionSettings", "RecoverySettings", "VaultSettings", "load"]
