"""image/install_tools.sh leaves alone what is there, above all the runtime that Docker uses."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "install_tools.sh"
PROGRAMS = ("podman", "catatonit", "haproxy", "mmdebstrap")
NEEDED = ("bash", "sed")


@pytest.fixture
def install(tmp_path):
    """Run the script on a machine that has these programs and nothing else."""
    asked = tmp_path / "asked"
    asked.touch()

    def run(*programs, root=True, settings=None):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in NEEDED:
            (folder / name).symlink_to(shutil.which(name))
        tools = dict.fromkeys(programs, "true")
        tools |= {"id": f"echo {0 if root else 1000}", "apt-get": f'echo "$*" >>{asked}'}
        for name, does in tools.items():
            (folder / name).write_text(f"#!/bin/bash\n{does}\n")
            (folder / name).chmod(0o755)
        # The script looks into /usr/sbin, too, where this machine has programs of its own.
        text = SCRIPT.read_text().replace("PATH=$PATH:/usr/sbin:/sbin", f"PATH={folder}")
        assert str(folder) in text
        environment = {"PATH": str(folder)}
        if settings:
            environment["CONTAINERS_CONF"] = str(settings)
        done = subprocess.run(
            [folder / "bash", "-c", text],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        installs = [line for line in asked.read_text().splitlines() if " install" in f" {line}"]
        return done, installs

    return run


def test_nothing_is_installed_where_everything_is_there(install):
    done, installs = install(*PROGRAMS, "runc")
    assert (done.returncode, installs) == (0, [])


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_no_runtime_is_installed_beside_one_that_is_there(install, runtime):
    # As on GitHub's runner: Docker's own runc, which apt would remove with Docker for Debian's.
    _, (command,) = install("podman", runtime)
    wanted = command.split()
    assert {"haproxy", "catatonit", "mmdebstrap"} <= set(wanted)
    assert {"runc", "crun", "podman"}.isdisjoint(wanted)


def test_nothing_is_ever_removed_to_install(install):
    _, (command,) = install()
    assert "--no-remove" in command.split()


def test_machine_without_a_runtime_gets_one(install):
    _, (command,) = install(*PROGRAMS)
    assert "runc" in command.split()


def test_runtime_that_podmans_settings_name_is_needed(install, tmp_path):
    settings = tmp_path / "containers.conf"
    settings.write_text('[engine]\nruntime = "runc"\n')
    _, (command,) = install(*PROGRAMS, "crun", settings=settings)
    assert "runc" in command.split()


def test_ordinary_user_is_told_what_is_missing(install):
    done, installs = install("podman", "crun", root=False)
    assert (done.returncode, installs) == (1, [])
    assert "sudo apt-get install catatonit haproxy mmdebstrap" in done.stderr
