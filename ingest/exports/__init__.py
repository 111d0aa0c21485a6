"""People's own listening histories: files of other services, landed like an answer."""
