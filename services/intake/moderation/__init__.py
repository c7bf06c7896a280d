"""The moderated queue: registrations that may come from a machine are kept, and go on when the office has looked at them."""
