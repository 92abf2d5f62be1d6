"""Replacements for the engine's provider plugins, for machines that cannot download the official ones."""
