"""What is declared: Pulumi components, one capability of the continuity policy a file.

Nothing is imported here on purpose. Each stack imports the components that it uses, and with them only the provider
packages that it needs: the vault never loads Hetzner's or GitHub's.
"""
