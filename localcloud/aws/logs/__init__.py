"""CloudWatch Logs: log groups and the keys that encrypt them. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.logs.keys import patch

__all__ = ["patch"]
