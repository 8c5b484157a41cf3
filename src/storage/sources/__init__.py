"""Where raw data comes from: files, archives, databases, JSON APIs, generators."""
