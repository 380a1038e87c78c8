# What the release and deploy workflows run. Each target works from a laptop that is signed in to
# the registry or the account in question.

##@ Release

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' src/docwarden/__init__.py)
PLATFORMS ?= linux/amd64,linux/arm64
NAMESPACE ?= docwarden
BASE = $(shell cat image/base.txt)

# A digest comes from outside, and make would run what stands in $(shell ...): it is taken as it is
# written. Recipes find it in their environment, and need check-digest first.
ifneq ($(origin DIGEST),undefined)
override DIGEST := $(value DIGEST)
endif
export DIGEST

.PHONY: check-digest
check-digest:
	@[[ $${DIGEST-} =~ ^sha256:[0-9a-f]{64}$$ ]] || { echo "DIGEST is '$${DIGEST-}', not sha256: and 64 hex digits" >&2; exit 1; }

.PHONY: pin-base
pin-base: ## Write the digest of today's base image to image/base.txt
	@digest=$$(docker buildx imagetools inspect debian:trixie-slim --format '{{.Manifest.Digest}}'); \
	echo "debian:trixie-slim@$$digest" | tee image/base.txt

.PHONY: release-check
release-check: ## Refuse a release whose tag (TAG=v1.2.3), version, changelog or base do not agree
	@image/release_check.sh '$(TAG)' '$(VERSION)' '$(BASE)'

.PHONY: release-notes
release-notes: ## Print what the changelog says of this version
	@awk '/^## \[/ {inside = index($$0, "## [$(VERSION)]") == 1; next} inside' CHANGELOG.md

.PHONY: wheel
wheel: $(READY) ## Build the wheel and the source distribution into dist
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/uv build --quiet --no-build-isolation --offline --python $(BIN)/python
	ls -l dist

.PHONY: push-image
push-image: ## Build for all platforms with SBOM and provenance, push (REPOSITORY=); digest in build/digest
	@mkdir -p build
	ENGINE=docker BASE_IMAGE='$(BASE)' image/push.sh '$(REPOSITORY)' '$(VERSION)' '$(PLATFORMS)'

.PHONY: sign-image
sign-image: check-digest ## Sign an image by digest without a key of one's own (REPOSITORY=, DIGEST=)
	cosign sign --yes "$(REPOSITORY)@$$DIGEST"

.PHONY: verify-image
verify-image: check-digest ## Verify who signed an image (REPOSITORY=, DIGEST=, SIGNER= a workflow's URL)
	cosign verify --certificate-oidc-issuer https://token.actions.githubusercontent.com \
		--certificate-identity-regexp '^$(SIGNER)@refs/tags/v[0-9.]+$$' "$(REPOSITORY)@$$DIGEST" >/dev/null

# Signature and attestation refer to the image from beside it, and `cosign copy` leaves them there:
# verify before. A tag that is there already has to be this image.
.PHONY: copy-image
copy-image: check-digest ## Copy an image, unchanged and without its signature (REPOSITORY=, DIGEST=, TO=repository)
	cosign copy "$(REPOSITORY)@$$DIGEST" '$(TO):v$(VERSION)'

.PHONY: push-chart
push-chart: $(HELM) ## Package the chart and push it as an OCI artefact (CHARTS=registry/owner/charts)
	@mkdir -p build
	$(HELM) package charts/docwarden --version '$(VERSION)' --app-version '$(VERSION)' --destination build
	$(HELM) push 'build/docwarden-$(VERSION).tgz' 'oci://$(CHARTS)'

.PHONY: image-archive
image-archive: ## Write the image of `make image` to build/image.tar, for scanners
	@mkdir -p build && rm -f build/image.tar
	$(ENGINE) save --output build/image.tar $(IMAGE)

##@ Deploy

.PHONY: ecr-login
ecr-login: ## Sign docker in to the registry of the account that you are signed in to (ECR=host)
	@aws ecr get-login-password | docker login --username AWS --password-stdin '$(ECR)'

.PHONY: rollout
rollout: check-digest $(HELM) $(INFRA_READY) ## Upgrade a release by digest, wait, roll back on failure, run its test (ENV=, DIGEST=, UPSTREAM_URL=)
	@mkdir -p build
	aws eks update-kubeconfig --name 'docwarden-$(ENV)'
	$(MAKE) infra-values ENV='$(ENV)' UPSTREAM_URL='$(UPSTREAM_URL)' > build/values.yaml
	$(MAKE) infra-binding ENV='$(ENV)' | kubectl apply --namespace $(NAMESPACE) --filename -
	$(HELM) upgrade --install docwarden charts/docwarden --namespace $(NAMESPACE) \
		--values build/values.yaml --wait --rollback-on-failure --timeout 10m
	$(HELM) test docwarden --namespace $(NAMESPACE) --logs --timeout 5m

.PHONY: smoke
smoke: check-digest ## Check that every pod runs this image, and that documents arrive (DIGEST=, URL=)
	@mkdir -p build
	image/smoke.sh '$(NAMESPACE)' "$$DIGEST" '$(URL)'
