# make app: set up and run. make test: set up and test. Nothing but Python 3.10 to 3.13 and PyPI's wheels is needed.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8501
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --prefer-binary

.PHONY: app test test-browser lint bench train-quick clean

app: $(VENV)/app.installed
	@echo "LungLens: http://localhost:$(PORT) (Ctrl+C stops it)"
	@$(BIN)/python -m streamlit run streamlit_app.py --server.headless true --server.port $(PORT)

# Two processes, a file's tests in one of them, so that what a file loads is loaded once; a thread each, which
# was faster than as many as there are cores.
test: $(VENV)/dev.installed lint
	OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -m "not browser" -n 2 --dist loadfile

# Needs a Chromium: LUNGLENS_CHROMIUM=/usr/bin/chromium make test-browser
test-browser: $(VENV)/dev.installed
	$(BIN)/python -m pytest -m browser

lint: $(VENV)/dev.installed
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

bench: $(VENV)/dev.installed
	$(BIN)/python -m benchmarks

# A tiny model from nothing to an evaluated export, on phantoms: shows that the whole chain runs on this machine.
train-quick: $(VENV)/dev.installed
	$(BIN)/python -m train quick cnn11

clean:
	rm -rf $(VENV)

$(VENV)/app.installed: requirements.txt constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the app's packages (a few minutes the first time)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/dev.installed: requirements-dev.txt requirements-train.txt requirements.txt constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the packages for tests and training (a few minutes the first time)"
	@$(PIP) -r requirements-dev.txt
	@touch $@
