"""The three stacks of the one program, composed of components from typed settings.

`vault` holds in the recovery region what must outlive everything else. `production` is the service at home, which
copies its backups and objects to the vault. `recovery` is the service rebuilt from the code, the plan and the vault. It
never reads production.
"""
