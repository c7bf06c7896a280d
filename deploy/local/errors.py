"""The one error that the local stack shows to a person."""


class StackError(Exception):
    """Something outside our code stands in the way; the message is one line that says what to do about it."""
