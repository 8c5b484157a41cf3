"""The branches of the feature transformer, and matrices."""
