"""The plan: what loading it refuses, and how it says so."""
