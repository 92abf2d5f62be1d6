"""Pulumi's own engine: the one on PATH, or else a build from its source in the Go module registry."""
