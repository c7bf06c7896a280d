"""The public site: plans and dialogues, published answers, procedures, contacts, papers to take home."""
