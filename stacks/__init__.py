"""The stacks of the program, composed of components from typed settings.

`vault` contains the keys and replicas that must outlive everything else, in the recovery region. `production` is the
service in the home region, which copies its backups and objects to the vault. `recovery` is the service rebuilt from
the code, the plan and the vault. It never reads production.
"""
