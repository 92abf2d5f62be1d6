"""DNS zones and their record sets."""
