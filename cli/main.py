"""The command line `doithoai`: this file only puts the commands together, each lives in a module of its own."""

import typer

from cli import backup, deadletters, migrate, rebuild, reconcile, republish, rescue, restore, sample, serve, staff, status, up
from cli.demo import command as demo

app = typer.Typer(
    name="doithoai",
    help="Direct dialogue and control of administrative procedures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it would show local variables, which may hold personal data
)
app.command("serve")(serve.serve)
app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("migrate")(migrate.migrate)
app.command("status")(status.status)
app.command("republish")(republish.republish)
app.command("rebuild")(rebuild.rebuild)
app.command("reconcile")(reconcile.reconcile)
app.command("backup")(backup.backup)
app.command("rescue")(rescue.rescue)
app.command("restore")(restore.restore)
app.command("sample", hidden=True)(sample.sample)
app.add_typer(deadletters.app, name="deadletters")
app.add_typer(staff.app, name="staff")
