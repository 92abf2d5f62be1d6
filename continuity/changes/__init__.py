"""Reports and operations on changes of stacks: previews, drift, data loss, destruction and bundles."""
