"""All collections of routing's database, for `doithoai migrate` and the check at start."""

from kit import letters
from kit.mongo import CollectionSpec
from services.routing.dialogues.store import SPECS as DIALOGUES
from services.routing.questions.store import SPECS as QUESTIONS
from services.routing.staff.store import SPECS as STAFF

SPECS: tuple[CollectionSpec, ...] = (*DIALOGUES, *QUESTIONS, *STAFF, letters.SPEC)
