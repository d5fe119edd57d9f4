"""The house: imports go one way, read from the source so that no import has to run."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("cases", "model_zoo", "train", "views")
MAY_IMPORT = {
    "cases": {"cases"},
    "model_zoo": {"model_zoo", "cases"},
    "views": {"views", "model_zoo", "cases"},
    "train": {"train", "model_zoo", "cases"},
}
FORBIDDEN_LIBRARIES = {
    "cases": {"tensorflow", "keras", "tf_keras_vis", "jax", "streamlit", "altair"},
    "model_zoo": {"streamlit", "altair"},
    "views": {"tensorflow", "keras", "tf_keras_vis", "jax"},
    "train": {"streamlit", "altair"},
}
RUNS_A_MODEL = {
    f"model_zoo/{name}.py" for name in ("depth", "engine", "explainers", "folding", "loading", "lungs/segmenter")
}
# Imported only where it is installed; without it a sentence says so (train/distribution.py).
OPTIONAL = {"jax"}
# Where a package on PyPI and what it is imported as have different names.
IMPORTED_AS = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "tf-keras-vis": "tf_keras_vis",
}


def imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
    return names


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def wrong_arrows(room: str, path: Path) -> set[str]:
    tops = {name.split(".")[0] for name in imported_names(path)}
    return (tops & set(ROOMS)) - MAY_IMPORT[room] | tops & FORBIDDEN_LIBRARIES[room]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_go_one_way(room):
    assert sources(room), f"no source in {room}/"
    wrong = {str(path.relative_to(ROOT)): wrong_arrows(room, path) for path in sources(room)}
    assert {path: arrows for path, arrows in wrong.items() if arrows} == {}


def test_a_wrong_arrow_would_be_found(tmp_path):
    offender = tmp_path / "offender.py"
    offender.write_text("def f():\n    from train.fit import fit\n    import tensorflow.keras\n")
    assert wrong_arrows("views", offender) == {"train", "tensorflow"}


def test_only_what_runs_a_model_imports_tensorflow():
    importers = {
        str(path.relative_to(ROOT))
        for path in sources("model_zoo")
        if {name.split(".")[0] for name in imported_names(path)} & {"tensorflow", "keras", "tf_keras_vis"}
    }
    assert importers == RUNS_A_MODEL


@pytest.mark.parametrize(
    ("room", "requirements"),
    [
        ("cases", "requirements.txt"),
        ("model_zoo", "requirements.txt"),
        ("views", "requirements.txt"),
        ("train", "requirements-train.txt"),
    ],
)
def test_nothing_is_imported_that_the_requirements_do_not_bring(room, requirements):
    brought = {IMPORTED_AS.get(name, name) for name in required_packages(ROOT / requirements)}
    imported = {name.split(".")[0] for path in sources(room) for name in imported_names(path)}
    assert imported - sys.stdlib_module_names - set(ROOMS) - brought - OPTIONAL == set()


def required_packages(path: Path) -> set[str]:
    """The packages of a requirements file and of the files that it includes."""
    packages = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            packages |= required_packages(path.parent / line.removeprefix("-r "))
        elif line and line[0].isalnum():
            packages.add(line.split("==")[0])
    return packages


def test_st_cache_stands_in_one_place():
    users = {
        str(path.relative_to(ROOT)) for path in sources("views") if "st.cache_" in path.read_text(encoding="utf-8")
    }
    assert users <= {"views/shared/cache.py", "views/shared/__init__.py"}


def test_no_folder_is_named_pages():
    """Streamlit would take it for its older multipage layout: the first deep link after a start shows "Page not found",
    and a script directly in it is served without the entry script's notice (docs/design.md, traps)."""
    assert not (ROOT / "pages").exists()


def test_what_the_home_page_needs_does_not_import_pandas():
    code = "import sys, cases.collections, model_zoo.registry; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("room", ["model_zoo", "train"])
@pytest.mark.parametrize(("given", "used"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")])
def test_tensorflow_is_told_to_use_onednn_unless_it_is_switched_off(room, given, used):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    script = f"import os, {room}; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**environment, **given}, capture_output=True, text=True
    )
    assert run.stdout.strip() == used, run.stderr
