"""`python -m tests.faults.broken BUILD SERVICE`: serve one service as that build."""

import importlib
import sys

from cli.serve import Service, serve

build, service = sys.argv[1:]
importlib.import_module(f"tests.faults.broken.{build}").apply()
serve(Service(service))
