"""EC2: the network that security groups and subnets belong to. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.ec2.network import patch

__all__ = ["patch"]
