"""Policies on the stack as a whole: each database has copies, each bucket its settings, each pool a standby.

The engine's dependencies between properties show which resources belong together. They are known before any value is.
In the recovery region no copy in another region is demanded: that region holds the copies, and the other region may be
lost.
"""
