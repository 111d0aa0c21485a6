"""Stand-ins for what dbt gives its templates, so that SQL can be linted without dbt."""
