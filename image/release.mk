# What the release and deploy workflows run. Each target works from a laptop that is signed in to
# the registry or the account in question.

##@ Release

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/docwarden/__init__.py)
PLATFORMS ?= linux/amd64,linux/arm64
NAMESPACE ?= docwarden

# A digest and a commit come from outside, and make would run what stands in $(shell ...): they are
# taken as they are written. Recipes find them in their environment, and check them first.
ifneq ($(origin DIGEST),undefined)
override DIGEST := $(value DIGEST)
endif
export DIGEST
ifneq ($(origin COMMIT),undefined)
override COMMIT := $(value COMMIT)
endif
export COMMIT

.PHONY: check-digest
check-digest:
	@[[ $${DIGEST-} =~ ^sha256:[0-9a-f]{64}$$ ]] || { echo "DIGEST is '$${DIGEST-}', not sha256: and 64 hex digits" >&2; exit 1; }

.PHONY: check-commit
check-commit:
	@[[ $${COMMIT-} =~ ^[0-9a-f]{40}$$ ]] || { echo "COMMIT is '$${COMMIT-}', not 40 hex digits" >&2; exit 1; }

.PHONY: pin-base
pin-base: ## Write the digest of today's base image to image/base/Dockerfile
	@name=$$(image/base.sh); name=$${name%@*}; \
	digest=$$(docker buildx imagetools inspect "$$name" --format '{{.Manifest.Digest}}'); \
	sed -i "s|^FROM .*|FROM $$name@$$digest|" image/base/Dockerfile; image/base.sh

.PHONY: release-check
release-check: ## Refuse a release whose tag (TAG=v1.2.3), version, chart, changelog or base do not agree
	@image/release_check.sh '$(TAG)'

.PHONY: release-files
release-files: ## Prepare a release (VERSION=1.2.3): version of code and chart, section of the changelog
	@$(PYTHON) image/release_files.py '$(VERSION)'
	@git diff --stat

.PHONY: release-notes
release-notes: ## Print what the changelog says of this version
	@image/release_notes.sh '$(VERSION)'

.PHONY: wheel
wheel: $(READY) ## Build the wheel and the source distribution into dist
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/uv build --quiet --no-build-isolation --offline --python $(BIN)/python
	ls -l dist

.PHONY: push-image
push-image: ## Build for all platforms with SBOM and provenance, push (REPOSITORY=, TAG=); digest in build/digest
	image/push.sh '$(REPOSITORY)' '$(TAG)' '$(PLATFORMS)'

.PHONY: try-image
try-image: check-digest ## Fetch documents through an image from the registry, on each platform (REPOSITORY=, DIGEST=)
	image/try.sh '$(REPOSITORY)'"@$$DIGEST" '$(PLATFORMS)'

.PHONY: sign-image
sign-image: check-digest ## Sign an image or a chart by digest, without a long-lived key (REPOSITORY=, DIGEST=)
	cosign sign --yes '$(REPOSITORY)'"@$$DIGEST"

# SIGNER is one workflow of one repository at one branch or tag, COMMIT the commit that it ran for.
.PHONY: verify-image
verify-image: check-digest check-commit ## Verify who signed an image or a chart, and for which commit (REPOSITORY=, DIGEST=, SIGNER=, COMMIT=)
	cosign verify --certificate-oidc-issuer https://token.actions.githubusercontent.com \
		--certificate-identity '$(SIGNER)' --certificate-github-workflow-sha "$$COMMIT" \
		'$(REPOSITORY)'"@$$DIGEST" >/dev/null

.PHONY: find-image
find-image: ## Print the digest that a tag has in the registry (REPOSITORY=, TAG=)
	@docker buildx imagetools inspect '$(REPOSITORY):$(TAG)' --format '{{.Manifest.Digest}}'

# From one index the copy is exact, so it keeps its digest and its signature:
# https://docs.docker.com/reference/cli/docker/buildx/imagetools/create/
.PHONY: tag-image
tag-image: check-digest ## Add a tag to an image, unless another image has it (REPOSITORY=, DIGEST=, TAG=)
	image/tag.sh '$(REPOSITORY)' "$$DIGEST" '$(TAG)'

# The signature refers to the image from beside it and stays there: verify before. Not `cosign copy`,
# which cosign 3.1 calls deprecated (https://github.com/sigstore/cosign/pull/4681) and 4 has no more:
# https://docs.docker.com/build/ci/github-actions/copy-image-registries/
.PHONY: copy-image
copy-image: check-digest ## Copy an image, unchanged and without its signature (REPOSITORY=, DIGEST=, TO=repository, TAG=)
	image/tag.sh '$(REPOSITORY)' "$$DIGEST" '$(TAG)' '$(TO)'

# The packaged chart names the released image by its digest, so it installs as it is.
.PHONY: package-chart
package-chart: check-digest $(HELM) ## Package the chart for an image (REPOSITORY=, DIGEST=)
	HELM=$(abspath $(HELM)) image/package_chart.sh '$(REPOSITORY)' "$$DIGEST" '$(VERSION)'

.PHONY: push-chart
push-chart: package-chart ## Push the chart as an OCI artefact (CHARTS=registry/owner/charts); digest in build/chart-digest
	HELM=$(abspath $(HELM)) image/push_chart.sh 'build/docwarden-$(VERSION).tgz' '$(CHARTS)'

.PHONY: image-archive
image-archive: ## Write the image of `make image` to build/image.tar, for scanners
	@mkdir -p build && rm -f build/image.tar
	$(ENGINE) save --output build/image.tar $(IMAGE)
	@chmod a+r build/image.tar

.PHONY: helm-version
helm-version: .cache/helm/helm ## Print the version of the packaged helm, for hosts that it does not run on
	@grep -aoP 'mod\thelm\.sh/helm/v4\t\Kv[0-9.]+' $< | head -n 1

##@ Deploy

.PHONY: ecr-login
ecr-login: ## Sign docker in to the registry of the account that you are signed in to (ECR=host)
	@aws ecr get-login-password | docker login --username AWS --password-stdin '$(ECR)'

# The cloud's side: infra/docwarden_cloud/rollout.py. It refuses an empty upstream before it changes
# anything, and goes back to the release before when the new one does not hold.
.PHONY: rollout
rollout: check-digest $(HELM) $(INFRA_READY) ## Roll out an image, verify it, roll back if a check fails (ENV=, DIGEST=, UPSTREAM_URL=)
	cd infra && $(INFRA_BIN)/python -m docwarden_cloud.rollout '$(ENV)' --digest "$$DIGEST" \
		--region "$${AWS_REGION:?}" --upstream-url '$(UPSTREAM_URL)' --helm '$(abspath $(HELM))'

.PHONY: smoke
smoke: check-digest ## Check that every pod runs this image, and that documents arrive (DIGEST=, URL=)
	@mkdir -p build
	image/smoke.sh '$(NAMESPACE)' "$$DIGEST" '$(URL)'
