"""What changes, or changed: pull requests, drift, destruction, and the repository's bundle."""
