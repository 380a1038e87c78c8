import os

import pytest

from docwarden.integrity.deep.cores import usable_cores

ALL = len(os.sched_getaffinity(0))


def v1(folder, quota):
    return {f"{folder}/cpu.cfs_quota_us": f"{quota}\n", f"{folder}/cpu.cfs_period_us": "100000\n"}


def tree(root, groups, files):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.fixture
def many_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64))


@pytest.mark.usefixtures("many_cores")
@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "400000 100000\n"}, 4),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 64),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/of/the/host\n", {"cpu.max": "200000 100000\n"}, 2),
        ("4:cpu,cpuacct:/x\n0::/x\n", v1("cpu/x", 300_000), 3),
        ("4:cpuset:/x\n", v1("cpu", 100_000), 64),
        ("4:cpu:/x\n", v1("cpu", -1), 64),
        ("0::/\n", {"cpu.max": "nonsense\n"}, 64),
        ("", {}, 64),
    ],
)  # fmt: skip
def test_cores_are_those_of_the_quota(tmp_path, groups, files, cores):
    assert usable_cores(tree(tmp_path, groups, files)) == cores


def test_cores_are_those_of_the_affinity_without_a_quota(tmp_path):
    assert usable_cores(tmp_path) == ALL


def test_cores_of_this_host_can_be_told():
    assert 1 <= usable_cores() <= ALL
