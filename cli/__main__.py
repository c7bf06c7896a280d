"""`python -m cli`."""

import sys

from pydantic import ValidationError
from pymongo.errors import PyMongoError

from cli.main import app
from kit.settings import ServiceSettings
from kit.yamlfile import BadFile


def _of_settings(error: ValidationError) -> str:
    """A line for each setting that is missing or wrong, without what it was set to."""
    prefix = ServiceSettings.model_config["env_prefix"]
    faults = error.errors(include_input=False, include_url=False)
    return "\n".join(f"{prefix}{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in faults)


try:
    app(prog_name="doithoai")
except PyMongoError as error:
    # One line for every command, without the text: that may hold documents or the password in the address.
    sys.exit(f"MongoDB does not answer, or refuses ({type(error).__name__}): check DOITHOAI_MONGODB_URL, and that it runs.")
except BadFile as error:
    sys.exit(str(error))
except ValidationError as error:
    if not error.title.endswith("Settings"):
        raise
    sys.exit(_of_settings(error))
