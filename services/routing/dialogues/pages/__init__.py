"""One module per page of the dialogue's life; each gives a router."""
