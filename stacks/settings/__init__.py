"""The settings of the three stacks: read from `Pulumi.<stack>.yaml`, typed, and validated once."""

from stacks.settings.model import ProductionSettings, RecoverySettings, VaultSettings, load

__all__ = ["ProductionSettings", "RecoverySettings", "VaultSettings", "load"]
