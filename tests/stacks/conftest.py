"""The vault's outputs and a local AWS, as the tests of components have them."""

from tests.components.conftest import aws, lost, vault, vault_with_backup

__all__ = ["aws", "lost", "vault", "vault_with_backup"]
