"""The catalogue as a document: examples of each policy, and how it compares with other packs."""
