"""Tests of AWS Backup in the local AWS."""
