"""Measurements of the promises about speed: ratios of two programs that ran in turn."""
