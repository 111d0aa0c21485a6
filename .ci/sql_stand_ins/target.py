"""``target`` in templates: what is linted is what PostgreSQL gets."""

type = "postgres"
name = "postgres"
schema = "staging"
