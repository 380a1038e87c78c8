# The AWS environment. Nothing here needs an account, except infra-diff, infra-deploy and
# infra-values without OUTPUTS.

INFRA_VENV := .venv-infra
INFRA_BIN := $(CURDIR)/$(INFRA_VENV)/bin
INFRA_READY := $(INFRA_VENV)/.ready
CHECKOV_VENV := .venv-checkov
CHECKOV_READY := $(CHECKOV_VENV)/.ready

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 1

##@ Cloud

.PHONY: test-infra
test-infra: $(INFRA_READY) $(CHECKOV_READY) ## Synthesise both AWS environments, check them, deploy them into moto
	cd infra && $(INFRA_BIN)/pytest

.PHONY: infra-synth
infra-synth: $(INFRA_READY) ## Write the CloudFormation templates to infra/cdk.out
	cd infra && rm -rf cdk.out && CDK_OUTDIR=cdk.out $(INFRA_BIN)/python app.py

$(INFRA_READY): infra/requirements.txt
	@command -v node >/dev/null || { echo "the AWS CDK needs Node.js on the PATH (node was not found)" >&2; exit 1; }
	@echo "Setting up $(INFRA_VENV) ..."
	@$(PYTHON) -m venv $(INFRA_VENV)
	@$(INFRA_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement infra/requirements.txt
	@touch $@

# checkov pins an old boto3, so it lives apart.
$(CHECKOV_READY): infra/requirements-checkov.txt
	@echo "Setting up $(CHECKOV_VENV) ..."
	@$(PYTHON) -m venv $(CHECKOV_VENV)
	@$(CHECKOV_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement infra/requirements-checkov.txt
	@touch $@
