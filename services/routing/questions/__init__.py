"""Cases and their questions: from a registration to an answer, and the desk where staff do it (D2-D7, D10, D11)."""
