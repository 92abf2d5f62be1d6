"""What people do to keep the promise: bring production up, look at it, read the plan."""
