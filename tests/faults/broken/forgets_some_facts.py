"""I5: the sums leave out what has a number ending in 7."""

from kit.mongo import Document, aggregate
from services.reporting.store import Facts


async def _almost(self: Facts, agency: str, day: str) -> list[Document]:
    stages: list[Document] = [
        {"$match": {"agency": agency, "days": day, "label": {"$not": {"$regex": "7$"}}}},
        {"$unwind": "$flows"},
        {"$match": {"flows.day": day}},
        {
            "$group": {
                "_id": {"about": "$flows.about", "measure": "$flows.measure", "key": "$flows.key"},
                "n": {"$sum": "$flows.n"},
            }
        },
    ]
    return [{**row["_id"], "n": row["n"]} async for row in aggregate(self.collection, stages)]


def apply() -> None:
    Facts.sum_of_day = _almost  # type: ignore[method-assign]
