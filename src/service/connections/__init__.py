"""Connections: clients that are slow, endless or gone, and a stop that loses no request."""
