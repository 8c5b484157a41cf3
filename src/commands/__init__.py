"""One file for each command of `python src COMMAND`."""
