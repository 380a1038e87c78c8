"""Runs steps as GitHub's runner does: a clean clone, an ordinary user, and no more than it has."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

from workflows import ROOT, TABLE, resolve

HERE = Path(__file__).parent
USER = 1501  # any that nobody has
STAND_INS = ("aws", "cosign", "docker", "gh")
# What makes a network's own proxy, certificates and registries known to the programs.
NETWORK = ("CERT", "_CA_", "PROXY", "PIP_", "GOPROXY", "GOSUMDB", "GOFLAGS", "npm_config", "SSL")


class Given(dict):
    """Arguments of an action, resolved when they are asked for."""

    def __init__(self, arguments, values):
        super().__init__(arguments)
        self._values = values

    def __getitem__(self, key):
        return resolve(super().__getitem__(key), self._values)


class Runner:
    """A machine for the steps of all jobs. Environments of tools are kept from job to job."""

    def __init__(self, folder, registry):
        self.folder = folder
        self.home = folder / "home"
        self.clone = folder / "work"
        self.outputs = {}
        self._artifacts = folder / "artifacts"
        self._registry = registry
        for each in (self.home, self._artifacts, folder / "bin", folder / "temp"):
            each.mkdir()
        for name in STAND_INS:
            (folder / "bin" / name).symlink_to(HERE / "standin.py")
        (folder / "bin/python").symlink_to("/usr/bin/python3")
        (folder / "tags.json").write_text("{}")
        (folder / "calls").touch()
        self._sudo()
        subprocess.run(["git", "clone", "--quiet", ROOT, self.clone], check=True)
        self.commit = self._git("rev-parse", "HEAD").stdout.strip()
        self.own()

    def _sudo(self):
        """As the runner's, which asks for nothing; steps that use it are run as root."""
        sudo = self.folder / "bin/sudo"
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        sudo.write_text(f'#!/bin/bash\nPATH={path} exec "$@"\n')
        sudo.chmod(0o755)

    def own(self):
        """Give everything to the ordinary user."""
        for each in (self.folder, *self.folder.rglob("*")):
            os.chown(each, USER, USER, follow_symlinks=False)

    def _git(self, *arguments):
        return subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", self.clone, *arguments],
            check=True,
            capture_output=True,
            text=True,
        )

    def begin(self):
        """Give a job its clean tree."""
        self._git("reset", "--quiet", "--hard")
        self._git("clean", "-ffdxq", "-e", ".venv*", "-e", ".cache", "-e", "node_modules")
        self.own()

    def values(self, workflow, outputs):
        """Return what expressions are worth in a job."""
        known = {name: value.replace("@COMMIT", self.commit) for name, value in self._table()}
        known["env.REGISTRY"] = known["vars.REGISTRY || 'ghcr.io'"] = self._registry
        for job, found in self.outputs.get(workflow, {}).items():
            known |= {f"needs.{job}.outputs.{name}": value for name, value in found.items()}
        return known | outputs

    def _table(self):
        return TABLE["values"].items()

    def act(self, step, values):
        """Do what an action leaves behind that later steps look at."""
        name = step.action.partition("@")[0]
        given = Given(step.arguments, values)
        if name == "actions/upload-artifact":
            source = self.clone / given["path"]
            if source.is_dir():
                shutil.copytree(source, self._artifacts / given["name"])
            else:  # what a step that is left out would have written
                assert "if-no-files-found" not in given, source
        elif name == "actions/download-artifact":
            shutil.copytree(self._artifacts / given["name"], self.clone / given["path"])
            self.own()
        elif name == "actions/upload-pages-artifact":
            assert (self.clone / given["path"] / "index.html").exists()
        elif name == "azure/setup-helm":
            assert given["version"].startswith("v4.")
            (self.folder / "bin/helm").symlink_to(self.clone / ".cache/helm/helm")
        elif name == "docker/login-action":
            self._log_in()

    def _log_in(self):
        auth = base64.b64encode(b"user:password").decode()
        settings = self.home / ".docker/config.json"
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(json.dumps({"auths": {self._registry: {"auth": auth}}}))
        self.own()

    def run(self, step, values, *, limit):
        """Run a step; return its outputs.

        Raises:
            AssertionError: It failed.
        """
        written = self.folder / "temp/output"
        written.write_text("")
        os.chown(written, USER, USER)
        script = self.folder / "temp/step.sh"
        script.write_text(resolve(step.text, values))
        environment = self._environment() | {
            name: resolve(value, values) for name, value in step.variables.items()
        }
        self._bash([*step.shell, script], environment, root="sudo " in step.text, limit=limit)
        return dict(line.split("=", 1) for line in written.read_text().splitlines())

    def type(self, command):
        """Run what somebody types.

        Raises:
            AssertionError: It failed.
        """
        self._bash(["-eo", "pipefail", "-c", command], self._environment(), root=False, limit=300)

    def _bash(self, arguments, environment, *, root, limit):
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
        done = subprocess.run(
            [*([] if root else user), "bash", *arguments],
            cwd=self.clone,
            env=environment | ({"SUDO_UID": str(USER)} if root else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=limit,
        )
        assert done.returncode == 0, f"{arguments[-1]}\n{done.stdout[-6000:]}"

    def _environment(self):
        kept = {
            name: value
            for name, value in os.environ.items()
            if any(word.lower() in name.lower() for word in NETWORK)
        }
        temp = self.folder / "temp"
        path = [self.folder / "bin", *("/usr/local/go/bin", "/usr/local/sbin", "/usr/sbin")]
        return kept | {
            "PATH": ":".join(map(str, (*path, "/usr/bin", "/sbin", "/bin"))),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_PATH": str(temp / "path"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary"),
            "GITHUB_REPOSITORY": "Some-Owner/Docwarden",
            "GITHUB_REPOSITORY_OWNER": "Some-Owner",
            "GITHUB_SHA": self.commit,
            "GITHUB_REF_NAME": self.tag(),
            "RUNNER_TEMP": str(temp),
            "CALLS": str(self.folder / "calls"),
            "REGISTRY_HERE": self._registry,
            "TAGS": str(self.folder / "tags.json"),
        }

    def tag(self):
        """Return the tag that releases the tree."""
        text = (self.clone / "src/docwarden/__init__.py").read_text()
        return "v" + text.split('__version__ = "')[1].split('"')[0]
