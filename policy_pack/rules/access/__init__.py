"""Who reaches what: public exposure, the database, people, and the repository."""
