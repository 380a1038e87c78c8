"""The picture shows the stacks that there are."""

from pathlib import Path

from docwarden_cloud.picture import ARROWS, BOXES, FRAME, svg
from testkit.assembly import Assembly

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "cloud.svg"


def test_every_stack_has_a_box_and_every_box_a_stack(production: Assembly):
    drawn = {box.stack for box in (FRAME, *BOXES) if box.stack}
    assert drawn == {stack.name for stack in production.stacks}


def test_arrows_lead_from_box_to_box():
    keys = {box.key for box in BOXES}
    assert {end for arrow in ARROWS for end in (arrow.source, arrow.target)} <= keys


def test_file_is_what_make_infra_pages_writes():
    assert PICTURE.read_text() == svg(), "renew it: make infra-pages"
