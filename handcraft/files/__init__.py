"""Files of programs: program files, built directories, and the template of `handcraft new`."""
