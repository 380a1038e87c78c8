"""The rendered objects are what Kubernetes takes, from the oldest release to the newest."""

import re

import kubernetes_validate
import pytest
import yaml

# kubernetes-validate carries no schemas of custom resources; test_features.py looks at these.
CUSTOM = ("gateway.networking.k8s.io", "monitoring.coreos.com")
RELEASES = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


def test_lint_finds_nothing_in_strict_mode(helm, chart, values_file):
    done = helm("lint", "--strict", chart, f"--values={values_file}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@pytest.mark.parametrize("release", RELEASES)
def test_every_object_fits_the_release_s_schema(render, values_file, release):
    objects = render(values_file, options=(f"--kube-version={release}.0",))
    native = [each for each in objects.values() if not each["apiVersion"].startswith(CUSTOM)]
    assert len(native) >= 5
    for each in native:
        kubernetes_validate.validate(each, release, strict=True)


def test_the_schemas_would_find_a_misspelt_field(render, values_file):
    deployment = render(values_file)["Deployment", "r-docwarden"]
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGracePeriod"):
        kubernetes_validate.validate(deployment, RELEASES[0], strict=True)


def test_a_release_older_than_the_oldest_is_refused(template, values_file):
    done = template(values_file, options=("--kube-version=1.29.9",))
    assert done.returncode != 0
    assert "incompatible with Kubernetes" in done.stderr


def test_the_tested_releases_start_with_the_one_that_the_chart_asks_for(chart):
    wanted = yaml.safe_load((chart / "Chart.yaml").read_text())["kubeVersion"]
    assert re.fullmatch(rf">={RELEASES[0]}\.0-0", wanted)


def test_every_object_has_its_namespace_and_the_recommended_labels(render, values_file):
    for key, each in render(values_file).items():
        metadata = each["metadata"]
        assert metadata["namespace"] == "docwarden", key
        assert {
            f"app.kubernetes.io/{name}"
            for name in ("name", "instance", "component", "part-of", "version", "managed-by")
        } <= set(metadata["labels"]), key


def test_rendering_twice_gives_the_same_text(helm, chart, values_file):
    first, second = (helm("template", "r", chart, f"--values={values_file}") for _ in range(2))
    assert first.stdout == second.stdout != ""
