"""`python -m docwarden_monitoring DIRECTORY`: writes rules, dashboards and Alertmanager's file."""

import argparse
from pathlib import Path

from docwarden_monitoring.documents import generate
from docwarden_monitoring.reference import alerts_page
from docwarden_monitoring.rules import Places


def main() -> None:
    """Write the files below the directory, and the reference page where one is named."""
    parser = argparse.ArgumentParser(prog="docwarden_monitoring", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--runbooks", default=Places().runbooks, help="URL of the runbooks' folder")
    parser.add_argument("--dashboards", default=Places().dashboards, help="URL of Grafana")
    parser.add_argument("--reference", type=Path, help="where to write the page on the alerts")
    arguments = parser.parse_args()
    places = Places(
        runbooks=arguments.runbooks.rstrip("/") + "/",
        dashboards=arguments.dashboards.rstrip("/") + "/",
    )
    for name, text in generate(places).items():
        path = arguments.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if arguments.reference:
        arguments.reference.write_text(alerts_page(), encoding="utf-8")


main()
