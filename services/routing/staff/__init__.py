"""Staff accounts, sign-in and sessions. Routing owns them and tells the others by `routing.staff` (design: staff)."""
