"""Runs of Pulumi's engine, and a reader of its events."""
