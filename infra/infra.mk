# The AWS environments. Tests, infra-synth and the generated pages need no account.

INFRA_VENV := .venv-infra
INFRA_BIN := $(CURDIR)/$(INFRA_VENV)/bin
INFRA_READY := $(INFRA_VENV)/.ready
CHECKOV_VENV := .venv-checkov
CHECKOV_READY := $(CHECKOV_VENV)/.ready

CDK := infra/node_modules/.bin/cdk
CDK_RUN = PATH="$(INFRA_BIN):$$PATH" node_modules/.bin/cdk

# The one end-of-life version that this was seen to work with says so at every start.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 20

##@ Cloud

.PHONY: test-infra
test-infra: $(INFRA_READY) $(CHECKOV_READY) $(CDK) $(HELM) ## Synthesise the AWS environments, check them, deploy them into moto
	@command -v prometheus >/dev/null || $(if $(filter 0,$(shell id -u)),,sudo) monitoring/install_tools.sh
	cd infra && $(INFRA_BIN)/pytest

.PHONY: infra-synth
infra-synth: $(INFRA_READY) ## Write the CloudFormation templates to infra/cdk.out
	cd infra && rm -rf cdk.out && CDK_OUTDIR=cdk.out $(INFRA_BIN)/python app.py

.PHONY: infra-snapshots
infra-snapshots: $(INFRA_READY) ## Regenerate the reviewed snapshots of security groups and policies
	cd infra && RENEW_SNAPSHOTS=1 $(INFRA_BIN)/pytest -q tests/test_security_snapshot.py

.PHONY: infra-pages
infra-pages: infra-synth ## Regenerate the pages on AWS costs and resources
	cd infra && $(INFRA_BIN)/python -m docwarden_cloud.costs > $(CURDIR)/docs/reference/cloud-costs.md
	cd infra && $(INFRA_BIN)/python -m docwarden_cloud.resources cdk.out > $(CURDIR)/docs/reference/cloud-resources.md

.PHONY: infra-types
infra-types: $(INFRA_READY) ## Check the types of infra/, strictly
	cd infra && $(INFRA_BIN)/mypy

# What people and workflows give is read by the shell as one word, whatever stands in it.
INFRA_GIVEN := ENV ACCESS NOTIFY ONLY REGION OUTPUTS UPSTREAM_URL UPSTREAM_IMAGE WATCH
$(foreach name,$(INFRA_GIVEN),$(if $(filter undefined,$(origin $(name))),,$(eval override $(name) := $$(value $(name)))))
export $(INFRA_GIVEN)
GIVEN = $${$(1):+--$(2)="$$$(1)"}

.PHONY: infra-check
infra-check: $(INFRA_READY) ## Check permissions, quotas and tools; show what infra-up would do and cost (ENV=)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.bootstrap "$$ENV" --dry-run $(INFRA_UP)

.PHONY: infra-up
infra-up: $(INFRA_READY) $(CDK) $(HELM) ## Build an environment in an empty account until it serves documents (ENV=)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.bootstrap "$$ENV" --helm='$(abspath $(HELM))' $(INFRA_UP)

.PHONY: infra-down
infra-down: $(INFRA_READY) $(CDK) $(HELM) ## Tear down an environment that keeps no data (ENV=)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.teardown "$$ENV" --helm='$(abspath $(HELM))'

INFRA_UP = $(call GIVEN,ACCESS,access) $(call GIVEN,NOTIFY,notify) $(call GIVEN,ONLY,only) $(call GIVEN,DIGEST,digest) $(INFRA_UPSTREAM) $(call GIVEN,WATCH,watch)
INFRA_UPSTREAM = $(call GIVEN,UPSTREAM_URL,upstream-url) $(call GIVEN,UPSTREAM_IMAGE,upstream-image)
INFRA_OUTPUTS = $(if $(OUTPUTS),--outputs='$(abspath $(OUTPUTS))') $(call GIVEN,REGION,region)

.PHONY: infra-links
infra-links: $(INFRA_READY) ## Print the links to service, dashboard, logs and alarms (ENV=)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.release links "$$ENV" $(INFRA_OUTPUTS)

.PHONY: infra-values
infra-values: $(INFRA_READY) ## Print Helm values from stack outputs (ENV=, DIGEST=, UPSTREAM_URL=, OUTPUTS=file)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.release values "$$ENV" $(INFRA_OUTPUTS) $(call GIVEN,DIGEST,digest) $(call GIVEN,UPSTREAM_URL,upstream-url)

.PHONY: infra-binding
infra-binding: $(INFRA_READY) ## Print the TargetGroupBinding from stack outputs (ENV=, OUTPUTS=file)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.release binding "$$ENV" $(INFRA_OUTPUTS)

.PHONY: infra-document-service
infra-document-service: $(INFRA_READY) ## Build a document service and push it, as UPSTREAM_IMAGE (ENV=, DIRECTORY=)
	@test -n '$(DIRECTORY)' || { echo "say where its Dockerfile is: DIRECTORY=" >&2; exit 2; }
	$(ENGINE) build --platform linux/amd64 --tag localhost/docwarden-upstream:test '$(DIRECTORY)'
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.local_image "$$ENV" --engine='$(ENGINE)' --image=localhost/docwarden-upstream:test

.PHONY: infra-diff
infra-diff: $(INFRA_READY) $(CDK) ## Compare an environment with the account that you are signed in to (ENV=)
	cd infra && $(CDK_RUN) diff --method template 'docwarden-$(ENV)/*'

.PHONY: infra-deploy
infra-deploy: $(INFRA_READY) $(CDK) ## Deploy an environment into the account that you are signed in to (ENV=)
	cd infra && $(CDK_RUN) deploy 'docwarden-$(ENV)/*' --require-approval $(or $(APPROVAL),broadening) --outputs-file cdk.out/outputs-$(ENV).json

.PHONY: infra-lock
infra-lock: $(READY) ## Regenerate the hash-pinned locks of infra/
	$(LOCK) infra/requirements.in -o infra/requirements.txt
	$(LOCK) infra/requirements-checkov.in -o infra/requirements-checkov.txt

$(CDK): infra/package-lock.json
	cd infra && npm ci --silent --no-audit --no-fund
	@touch $@

$(INFRA_READY): infra/requirements.txt
	@command -v node >/dev/null || { echo "the AWS CDK needs Node.js on the PATH (node was not found)" >&2; exit 1; }
	@echo "Setting up $(INFRA_VENV) ..."
	@$(PYTHON) -m venv $(INFRA_VENV)
	@$(INFRA_BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --requirement infra/requirements.txt
	@touch $@

# Without --no-compile most of the time would go into bytecode that nobody runs.
# checkov pins an old boto3, so it lives apart.
$(CHECKOV_READY): infra/requirements-checkov.txt
	@echo "Setting up $(CHECKOV_VENV) ..."
	@$(PYTHON) -m venv $(CHECKOV_VENV)
	@$(CHECKOV_VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes --requirement infra/requirements-checkov.txt
	@touch $@
