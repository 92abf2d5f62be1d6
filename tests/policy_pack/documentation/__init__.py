"""Tests of the catalogue as a document."""
