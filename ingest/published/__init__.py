"""What the warehouse published, as a source of its own."""
