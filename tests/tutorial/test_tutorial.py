"""The tutorial's commands give what the tutorial says: `make test-tutorial`."""

from pathlib import Path

from tests.tutorial.reader import Step, steps

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
# What `make demo` runs. The breaker is open for half a minute in the tutorial; here long enough for
# the steps in between.
DEMO = ("docwarden simulate", "DOCWARDEN_BREAKER_OPEN=8s docwarden serve")


async def test_every_step_gives_what_the_tutorial_says(reader):
    for command in DEMO:
        await reader.take(Step(command))
    operators = f"127.0.0.1:{reader.ports['8081']}"
    taken = 0
    for step in steps(TUTORIAL.read_text(), "console"):
        await reader.take(step, DOCWARDEN_ADMIN_LISTEN=operators)
        taken += 1
    assert taken > 10
