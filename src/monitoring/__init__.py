"""Drift: how new data differs from the test set, and what that means for the model."""
