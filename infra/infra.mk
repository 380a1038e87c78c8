# The AWS environment. Nothing here needs an account, except infra-diff, infra-deploy, and
# infra-values and infra-binding without OUTPUTS.

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
test-infra: $(INFRA_READY) $(CHECKOV_READY) ## Synthesise both AWS environments, check them, deploy them into moto
	cd infra && $(INFRA_BIN)/pytest

.PHONY: infra-synth
infra-synth: $(INFRA_READY) ## Write the CloudFormation templates to infra/cdk.out
	cd infra && rm -rf cdk.out && CDK_OUTDIR=cdk.out $(INFRA_BIN)/python app.py

.PHONY: infra-snapshots
infra-snapshots: $(INFRA_READY) ## Renew the reviewed text of security groups and policies
	cd infra && RENEW_SNAPSHOTS=1 $(INFRA_BIN)/pytest -q tests/test_security_snapshot.py

.PHONY: infra-costs
infra-costs: $(INFRA_READY) ## Renew docs/reference/cloud-costs.md from infra/prices.toml
	cd infra && $(INFRA_BIN)/python -m docwarden_cloud.costs > $(CURDIR)/docs/reference/cloud-costs.md

.PHONY: infra-picture
infra-picture: $(INFRA_READY) ## Renew docs/explanation/cloud.svg
	cd infra && $(INFRA_BIN)/python -m docwarden_cloud.picture > $(CURDIR)/docs/explanation/cloud.svg

.PHONY: infra-types
infra-types: $(INFRA_READY) ## Check the types of infra/, strictly
	cd infra && $(INFRA_BIN)/mypy

.PHONY: infra-values
infra-values: $(INFRA_READY) ## Print Helm values from stack outputs (ENV=, DIGEST=, UPSTREAM_URL=, OUTPUTS=file)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.release values $(INFRA_RELEASE)

.PHONY: infra-binding
infra-binding: $(INFRA_READY) ## Print the TargetGroupBinding from stack outputs (ENV=, OUTPUTS=file)
	@cd infra && $(INFRA_BIN)/python -m docwarden_cloud.release binding $(INFRA_RELEASE)

INFRA_RELEASE = '$(ENV)' $(if $(OUTPUTS),--outputs '$(abspath $(OUTPUTS))') $(if $(REGION),--region '$(REGION)') $(if $(DIGEST),--digest "$$DIGEST") $(if $(UPSTREAM_URL),--upstream-url '$(UPSTREAM_URL)')

.PHONY: infra-diff
infra-diff: $(INFRA_READY) $(CDK) ## Compare an environment with the account that you are signed in to (ENV=)
	cd infra && $(CDK_RUN) diff --method template 'docwarden-$(ENV)/*'

.PHONY: infra-deploy
infra-deploy: $(INFRA_READY) $(CDK) ## Deploy an environment into the account that you are signed in to (ENV=)
	cd infra && $(CDK_RUN) deploy 'docwarden-$(ENV)/*' --require-approval $(or $(APPROVAL),broadening) --outputs-file cdk.out/outputs-$(ENV).json

.PHONY: infra-lock
infra-lock: $(READY) ## Renew the hash-pinned locks of infra/
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
