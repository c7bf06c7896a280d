"""Requests to see or delete one's personal data: asked for with the tracking code, decided by a person, within clocks."""
