"""Schemas in the form that the APIs of model providers, and the clients on them, accept."""
