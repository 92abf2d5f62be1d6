"""Pulumi's own engine: the one on PATH, else built from its source in the Go module registry."""
