"""`doithoai demo`: the main job from the first registration to the report, unattended, as people do it: through the pages.

`journey.py` has the steps, one module each for what belongs together; `people.py` is who sends what; `book.py` counts a second
time what the steps did, so that the report can be held against it.
"""
