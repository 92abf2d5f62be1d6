"""An inventory of access to the clouds, compared with the plan."""
