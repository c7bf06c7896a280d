"""Feedback (phản ánh, kiến nghị; K2): its own form all year, its API, the counter, and what its code shows."""
