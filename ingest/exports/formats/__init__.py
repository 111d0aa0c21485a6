"""One module for each family of files; each says how a file is known and read."""
