"""Estimators, folds, model files, scoring, explanations, thresholds."""
