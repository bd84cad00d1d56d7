"""The commands that are disturbed, on the tiny model of the fixtures, and what they leave."""
import os, shutil, subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("BITPLAN", os.path.join(ROOT, ".build/release/bitplan"))
DATA = ["--data", "plan.en", "plan.de", "--limit", "4"]
SCHEMES = ["--schemes", "bcq2,int8", "--fit", "greedy"]
# By name: the arguments, and the files and directories that the command leaves.
COMMANDS = {
    "sweep": (["sweep", "model", *DATA, *SCHEMES, "--store", "store.sqlite", "--output", "out/table.json"], ["out/table.json"]),
    "plan": (["plan", "table.json", "--size", "3x", "--model", "model", *DATA, "--effort", "4", "--store", "store.sqlite", "--output", "out/plan.json"], ["out/plan.json"]),
    "tune": (["tune", "model", "--plan", "plan.json", *DATA[:3], "--limit", "20", "--steps", "2", "--checkpoint-every", "0", "--store", "store.sqlite", "--output", "out/tuned"], ["out/tuned"]),
    "quantize": (["quantize", "model", "--plan", "plan.json", *DATA, "--store", "store.sqlite", "--output", "out/packed"], ["out/packed"]),
    "auto": (["auto", "model", *DATA, *SCHEMES, "--size", "3x", "--effort", "4", "--name", "n", "--reports", "out/reports", "--plans", "out/plans", "--store", "store.sqlite", "--output", "out/packed"],
             ["out/packed", "out/reports/n.md", "out/reports/n.html", "out/reports/n.sensitivity.json", "out/reports/n.comparison.json", "out/plans/n.plan.json"]),
    "run": (["run", "model"], []),
}


def start(name, directory, environment=None):
    """Starts a command in a workspace; training goes on from the checkpoint that an earlier run has left."""
    resume = ["--resume"] if name == "tune" and os.path.exists(os.path.join(directory, "out/tuned.checkpoint.safetensors")) else []
    arguments = [absolute(word, directory) for word in COMMANDS[name][0]] + resume
    return subprocess.Popen(
        [PROGRAM, *arguments], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | (environment or {}), text=True)


def absolute(word, directory):
    """Paths are absolute, so that a prefix says whether a call counts."""
    path = os.path.join(directory, word)
    return path if word.startswith("out/") or word == "store.sqlite" or os.path.exists(path) else word


def run(name, directory, environment=None):
    """Runs a command to its end: exit code, standard output, lines on standard error."""
    process = start(name, directory, environment)
    try:
        output, error = process.communicate("the sky\nsay a\n", timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, "", ["no end within 120 seconds"]
    return process.returncode, output, error.splitlines()


def prepare(directory):
    """A workspace with the model, the data, and a table and a plan for the later commands."""
    os.makedirs(directory)
    shutil.copytree(os.path.join(ROOT, "Fixtures/marian-native"), os.path.join(directory, "model"))
    for name in ("plan.en", "plan.de"):
        shutil.copy(os.path.join(ROOT, "Fixtures/data", name), directory)
    for name, file in (("sweep", "table.json"), ("plan", "plan.json")):
        code, _, lines = run(name, directory)
        if code != 0:
            raise SystemExit(f"faults: {name}: {lines}")
        shutil.move(os.path.join(directory, "out", file), os.path.join(directory, file))
    shutil.rmtree(os.path.join(directory, "out"))
    os.remove(os.path.join(directory, "store.sqlite"))
    for suffix in ("-wal", "-shm"):
        if os.path.exists(os.path.join(directory, "store.sqlite" + suffix)):
            os.remove(os.path.join(directory, "store.sqlite" + suffix))


def contents(directory):
    """Every file of a directory with its bytes."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


def result(name, directory):
    """What a command left, with its bytes: whole outputs alone; logs and reports hold no times."""
    return {path: content for path, content in contents(directory).items()
            if any(path == output or path.startswith(output + "/") for output in COMMANDS[name][1])}


def halves(directory):
    """Files that were not finished."""
    return [path for path in contents(directory) if ".part" in path]
