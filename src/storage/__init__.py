"""The S3 remote, and the sources of raw data."""
