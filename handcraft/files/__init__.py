"""Programs on disk: program files, built directories, and what `handcraft new` writes."""
