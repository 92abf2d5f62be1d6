"""AWS Backup, where moto lacks a call or allows what AWS refuses. Importing this package changes nothing.

    records.py       recovery points, jobs and selections, and the look-ups that the other modules share
    vaults.py        vaults, their keys, locks and access policies
    plans.py         the rules that a plan is checked against       schedules.py         cron expressions
    selections.py    what a plan is applied to                      roles.py             the role that does it
    backup_jobs.py, copy_jobs.py   the calls that start a job       job_progress.py      how far a job is
    recovery_points.py             recovery points                  lifecycles.py        how long they are kept
    restore_metadata.py            the settings for a restore       filters.py           filters of listings

Plans are kept and checked, but their schedules do not run: no test waits until five in the morning. Backups come from
StartBackupJob and copies from StartCopyJob, as an operator or a drill starts them at AWS. Such jobs do not run a plan's
copy actions at AWS either. Only RDS instances can be backed up; other resources are refused by name.
"""

from __future__ import annotations

from localcloud.aws.backup import (
    backup_jobs,
    copy_jobs,
    plans,
    recovery_points,
    restore_metadata,
    selections,
    vaults,
)


def patch() -> None:
    """Add AWS Backup's calls to moto."""
    for subject in (vaults, plans, selections, recovery_points, restore_metadata, backup_jobs, copy_jobs):
        subject.patch()
