"""The picture of docs/ shows the stacks that there are."""

from reference_pages.cloud_picture import BOXES

from testkit.assembly import Assembly


def test_every_stack_has_a_box_and_every_label_a_stack(production: Assembly):
    drawn = {box.label for box in BOXES if box.label}
    assert drawn == {stack.name for stack in production.stacks}
