"""Policies on where data may be: regions, locations, endpoints and providers in the EU."""
