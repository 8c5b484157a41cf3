"""Connections: limits for slow or endless clients, and a stop that loses no request."""
