"""Corrections of users: the store, and the export for training."""
