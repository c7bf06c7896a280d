"""`python -m cli`."""

import sys

from pymongo.errors import PyMongoError

from cli.main import app

try:
    app(prog_name="doithoai")
except PyMongoError as error:
    # One line for every command, without the text: that may hold documents or the password in the address.
    sys.exit(f"MongoDB does not answer, or refuses ({type(error).__name__}): check DOITHOAI_MONGODB_URL, and that it runs.")
