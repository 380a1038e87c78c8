"""Which document is next, and which is refused: decided without any process."""

import pytest

from docwarden.integrity.deep import schedule as module
from docwarden.integrity.deep.schedule import DeepChecksFullError, Job, Schedule

FOREVER = float("inf")


def job(cost, deadline=FOREVER):
    made = Job(b"GIF89a", "image/gif", 3, deadline, lambda _: None)
    made.cost = cost
    return made


def order(schedule, **options):
    taken = []
    while (each := schedule.next(**options)) is not None:
        taken.append(each)
    return taken


def test_small_jobs_go_before_a_large_one_that_came_just_before():
    schedule = Schedule(1)
    large, one, two = job(1.0), job(0.001), job(0.001)
    for number, each in enumerate((large, one, two)):
        schedule.add(each, number * 0.01)
    assert order(schedule) == [one, two, large]


def test_large_job_is_not_overtaken_for_ever():
    schedule = Schedule(1)
    large = job(1.0)
    schedule.add(large, 0.0)
    early, late = job(0.001), job(0.001)
    schedule.add(early, module.AGING * 0.9)
    schedule.add(late, module.AGING * 1.1)
    assert order(schedule) == [early, large, late]


def test_equal_jobs_keep_their_order():
    schedule = Schedule(1)
    jobs = [job(0.001) for _ in range(20)]
    for each in jobs:
        schedule.add(each, 1.0)
    assert order(schedule) == jobs


def test_worker_for_small_jobs_never_gets_a_large_one():
    schedule = Schedule(1)
    large, small = job(module.SMALL * 2), job(module.SMALL)
    schedule.add(large, 0.0)
    schedule.add(small, 50.0)
    assert order(schedule, small_only=True) == [small]
    assert order(schedule) == [large]


def test_job_that_is_dearer_than_the_room_waits():
    schedule = Schedule(1)
    schedule.add(job(0.001), 0.0)
    assert schedule.next(max_cost=0.0005) is None
    assert schedule.next(max_cost=0.001) is not None


def test_queue_is_bounded_whatever_its_jobs_cost():
    schedule = Schedule(8)
    for _ in range(module.MAX_QUEUED):
        schedule.add(job(1e-6), 0.0)
    with pytest.raises(DeepChecksFullError):
        schedule.add(job(1e-6), 0.0)
    assert (schedule.refused, len(schedule)) == (1, module.MAX_QUEUED)
    schedule.next()
    schedule.add(job(1e-6), 0.0)


def test_job_is_refused_when_its_turn_comes_after_its_deadline():
    schedule = Schedule(2)
    for _ in range(4):
        schedule.add(job(1.0), 0.0)
    with pytest.raises(DeepChecksFullError):
        schedule.add(job(1.0, deadline=1.9), 0.0)
    schedule.add(job(1.0, deadline=2.1), 0.0)


def test_small_job_is_not_refused_for_large_ones_before_it():
    schedule = Schedule(1)
    for _ in range(50):
        schedule.add(job(1.0), 0.0)
    schedule.add(job(0.001, deadline=0.01), 0.0)


def test_pace_of_a_busy_host_is_learned_and_bounded():
    schedule = Schedule(1)
    schedule.add(job(1.0), 0.0)
    last = job(1.0)
    assert schedule.expected_wait(last) == pytest.approx(1.0)
    for _ in range(500):
        schedule.observe(0.001, 0.004)
    assert schedule.expected_wait(last) == pytest.approx(4.0, rel=0.01)
    for _ in range(500):
        schedule.observe(0.001, 100.0)
    assert schedule.expected_wait(last) <= module.MAX_PACE
    for _ in range(500):
        schedule.observe(0.001, 0.0)
    assert schedule.expected_wait(last) >= module.MIN_PACE * 0.99


def test_discarded_job_leaves_nothing_behind():
    schedule = Schedule(1)
    jobs = [job(cost) for cost in (0.001, 1.0, 0.002, 2.0)]
    for each in jobs:
        schedule.add(each, 0.0)
    for each in jobs[:2]:
        schedule.discard(each)
    assert len(schedule) == 2
    assert order(schedule) == jobs[2:]


def test_answer_reaches_who_waits_once_and_nobody_who_left():
    heard: list[object] = []
    first = Job(b"GIF89a", "image/gif", 3, FOREVER, heard.append)
    first.answer(())
    first.answer(())
    assert heard == [()]
    left = Job(b"GIF89a", "image/gif", 3, FOREVER, heard.append)
    left.done = True
    left.answer(())
    assert heard == [()]


def test_cost_follows_pixels_of_a_png_and_bytes_of_all_others(documents):
    png, gif = documents["png"], documents["gif"]
    wide = png[:16] + (20_000).to_bytes(4, "big") * 2 + png[24:] + bytes(1 << 20)

    def cost(data, media_type):
        return Job(data, media_type, 3, FOREVER, lambda _: None).cost

    assert cost(wide, "image/png") > 10 * cost(png, "image/png")
    assert cost(gif + bytes(1 << 20), "image/gif") > 10 * cost(gif, "image/gif")


def heavy(cost, memory):
    made = job(cost)
    made.memory = memory
    return made


def test_large_jobs_are_looked_at_together_as_far_as_memory_goes():
    schedule = Schedule(3)
    half = module.MEMORY // 2
    first, second = heavy(1.0, half), heavy(2.0, half + 1)
    for each in (first, second):
        schedule.add(each, 0.0)
    assert schedule.next() is first
    assert schedule.next(held=half) is None
    assert schedule.next(held=half - 1) is second


def test_job_of_more_memory_than_there_is_has_it_alone():
    schedule = Schedule(2)
    giant, small = heavy(1.0, 2 * module.MEMORY), job(0.001)
    schedule.add(giant, 0.0)
    schedule.add(small, 50.0)
    assert schedule.next(held=1) is small
    assert schedule.next(held=1) is None
    assert schedule.next() is giant


def test_cheap_job_of_much_memory_is_not_for_the_worker_for_small_ones():
    schedule = Schedule(1)
    giant = heavy(0.001, module.LIGHT + 1)
    schedule.add(giant, 0.0)
    assert schedule.next(small_only=True) is None
    assert schedule.next() is giant


def test_memory_follows_what_the_decoders_keep(saved, picture):
    def memory(media_type, data):
        return Job(data, media_type, 3, FOREVER, lambda _: None).memory

    wide = picture(size=(800, 600))
    progressive, baseline = (saved(wide, "JPEG", progressive=each) for each in (True, False))
    coefficients = memory("image/jpeg", progressive) - 3 * len(progressive)
    assert 800 * 600 * 2 <= coefficients <= 816 * 616 * 2 * 3
    assert memory("image/jpeg", baseline) == 3 * len(baseline)
    webp = saved(wide, "WEBP")
    assert memory("image/webp", webp) == 2 * len(webp) + 12 * 800 * 600
    assert memory("image/gif", b"GIF89a\x20\x03\x58\x02") == 30 + 800 * 600
    assert memory("image/png", bytes(32 << 20)) < module.LIGHT
    assert memory("image/jpeg", b"\xff\xd8\xff\xe0\0\0") == 18
