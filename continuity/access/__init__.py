"""Who has which access, read from the clouds and compared with the plan."""
