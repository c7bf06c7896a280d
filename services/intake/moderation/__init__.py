"""The moderated queue: what may come from a machine is kept, and goes on when the office has looked at it."""
