"""The agency's administrative procedures (K4), as others name them."""

from collections.abc import Mapping

from kit.agency import Agency


def procedures_of(agency: Agency) -> Mapping[str, str]:
    """Code → name, in the profile's order; empty while the profile lists none."""
    return {procedure.code: procedure.name for procedure in agency.procedures}
