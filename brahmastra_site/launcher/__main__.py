"""`python -m brahmastra_site.launcher run`: the whole house with one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from brahmastra_site.launcher.errors import LauncherError


def main(arguments: list[str]) -> int:
    """Run the command that `arguments` name and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m brahmastra_site.launcher", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "run", help="start everything, run a session on synthetic data, serve the site"
    )
    keep = commands.add_parser(
        "keep",
        help="keep the private servers while anybody uses them (started by the launcher itself)",
    )
    keep.add_argument("var_dir", type=Path)
    keep.add_argument("servers", nargs="+", choices=["postgres", "valkey"])
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "keep":
            from brahmastra_site.launcher.keeper import keep as keep_servers

            return keep_servers(chosen.var_dir, chosen.servers)
        from brahmastra_site.launcher.run import run

        return run()
    except LauncherError as error:
        print(f"brahmastra: {error}", file=sys.stderr)  # noqa: T201 - the one line
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
