"""Estimators, folds, model files, scoring, explanation, thresholds."""
