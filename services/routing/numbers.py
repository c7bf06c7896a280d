"""Numbers that the system allots: unique, without gaps, per agency, kind and year (design §4).

Official numbers, where the profile lets it; usually the office types one from the agency's own register instead (NĐ 30/2020
arts. 4, 15). And the case numbers of those who first spoke at the meeting, whose forms intake never saw (D10).
"""

from pymongo import DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from kit.mongo import CollectionSpec, Database

COLLECTION = "numbers"
SPEC = CollectionSpec(
    COLLECTION,
    (
        IndexModel([("agency", 1), ("subject", 1)], name="by_subject", unique=True),
        IndexModel([("agency", 1), ("year", 1), ("kind", 1), ("n", DESCENDING)], name="last"),
    ),
)


async def allot(database: Database, agency: str, year: int, kind: str, subject: str) -> int:
    """The number of `subject` (an invitation, a notice, a walk-in's case) in the year's register of `kind`.

    Asked for again, a subject has the number it was given: a crash between this and its use leaves no gap.
    """
    rows = database[COLLECTION]
    while True:
        if known := await rows.find_one({"agency": agency, "subject": subject}, {"n": 1}):
            return int(known["n"])
        last = await rows.find_one({"agency": agency, "year": year, "kind": kind}, {"n": 1}, sort=[("n", DESCENDING)])
        n = last["n"] + 1 if last else 1
        row = {"_id": f"{agency}/{year}/{kind}/{n}", "agency": agency, "year": year, "kind": kind, "n": n, "subject": subject}
        try:
            await rows.insert_one(row)
        except DuplicateKeyError:
            continue
        return n
