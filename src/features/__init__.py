"""The feature transformer, and files of feature matrices."""
