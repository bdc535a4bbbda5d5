# Every target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup up down test drills lint functions shell rows bench rollback-drill check-daily check-weekly check-monthly
.PHONY: simulate conformance schema format

PYTHON_FOLDERS := __main__.py settings.py bootstrap checks components gate operations policies probe releases reports sandbox terminal toolchain tests

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## install what this machine lacks (engine, CLIs, Python packages)
	@sh toolchain/setup.sh

up: setup ## start the sandbox, approve and deploy the whole stack on it, show its health
	@./pf sandbox up
	@./pf sandbox approve
	@./pf deploy --stack sandbox

down: ## stop the sandbox; no process stays, its AWS forgets all keys, and the next `make up` starts empty
	@if [ -x .venv/bin/python ]; then ./pf sandbox down; else echo "nothing is set up here, so nothing runs"; fi

# A file to a worker, as the folders are named: ci, docs and e2e take longest, and at the end one core would wait for them.
PYTEST := .venv/bin/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: lint functions ## run every check and test but the drills
	@$(PYTEST) -m "not drill"

drills: setup ## the longer stories: an incident, a hotfix, each moment of a kill, the README's commands; properties with new examples
	@$(PYTEST) -m hypothesis --hypothesis-profile searching
	@$(PYTEST) -m drill

lint: setup ## check style, format and types
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/basedpyright

functions: setup ## check and test the edge functions
	@cd supabase/functions && ../../.venv/bin/deno task check && ../../.venv/bin/deno task test

shell: setup ## a shell in which plain `pulumi up` works
	@eval "$$(./pf env)" && exec "$${SHELL:-sh}"

rows: setup ## each requirement with the tests and commands that prove it
	@.venv/bin/python -m tests.rows

bench: setup ## measured speed beside a floor of direct calls, and where the time goes; LONG=1 for the slow ones too
	@.venv/bin/python -m tests.bench $(if $(LONG),--long)

rollback-drill: setup ## an emergency rollback of the whole stack on a sandbox of its own, held against P5
	@.venv/bin/python -m tests.bench.drill

check-daily: setup ## is production well, and as it was deployed? PF_STACK says which stack
	@./pf health
	@./pf doctor --expect-no-drift

check-weekly: setup ## would anybody hear of a failure, and stands what the stack stands on?
	@./pf monitoring check
	@./pf bootstrap --check

check-monthly: setup ## the rollback drill: the real plan of a real rollback, nothing changed
	@time -p ./pf rollback --dry-run --reason "the monthly drill"

simulate: setup ## how soon the alarms tell of each kind of fault, and what a healthy week tells falsely (minutes)
	@.venv/bin/python -m tests.simulate

conformance: setup ## small programs with known results, for the host and plugins of the sandbox; OFFICIAL=1 for those installed
	@PF_CONFORMANCE_OFFICIAL=$(OFFICIAL) .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/conformance

schema: setup ## write docs/schemas from the models of reports
	@.venv/bin/python -m reports.schema

format: setup ## format and mend what ruff can mend
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .
