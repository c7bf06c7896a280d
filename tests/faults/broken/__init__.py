"""Builds that are broken on purpose, to prove that the checker of each invariant reports it; and a newer build for row 19.

Each module has `apply()`, which changes the code in memory before the service starts. No product code knows of them.
"""
