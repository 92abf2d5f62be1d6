"""Tests of reports on changes and drift."""
