"""The models, the data that plans are made on and checked on, and budgets."""
import lzma
import pathlib
import tarfile

from . import Refused

NAMES = ["tatoeba-en-de", "sst2-bert", "wikitext-lm", "MiniLM"]
# Whose text codes are calibrated on: a text of its own, or the planning data.
CALIBRATIONS = ["apart", "own"]


class Data:
    """Files, and how many of their items are used at most."""

    def __init__(self, files, limit):
        self.files, self.limit = files, limit

    def __str__(self):
        return " and ".join(file.name for file in self.files)


class Model:
    """A model, the data that plans are made on, that codes are calibrated on and that plans are checked on.

    calibration: a function that gives the data: none may be needed; budgets: bytes of a packed model's file.
    """

    def __init__(self, directory, planning, calibration, checking, budgets):
        self.directory, self.budgets = directory, budgets
        self.planning, self.calibration, self.checking = planning, calibration, checking


def model(name, shared, work):
    """A model of `NAMES` from the directory `shared`; what has to be cut or unpacked is written to `work`."""
    models, data = shared / "models", shared / "data"
    directory = models / name

    def cut(file, *ends):
        """Files of a file's lines up to each of `ends`, shares of all lines."""
        lines, start = file.read_text(encoding="utf-8").splitlines(keepends=True), 0
        for place, end in enumerate(ends):
            stop = round(len(lines) * end)
            yield written(f"{file.stem}.{place}{file.suffix}", "".join(lines[start:stop]))
            start = stop

    def written(name, text):
        path = work / name
        path.write_text(text, encoding="utf-8")
        return path

    if name == "tatoeba-en-de":
        def part(split, limit):
            return Data([directory / f"data/{split}.en", directory / f"data/{split}.de"], limit)

        def train():
            with tarfile.open(data / "tatoeba-en-de.tar.xz") as archive:
                names = ["train.en", "train.de"]
                texts = [archive.extractfile(f"ta-en-de/{name}").read().decode() for name in names]
            return Data(list(map(written, names, texts)), 1000)

        return Model(directory, part("val", 300), train, part("test", 1000), [790_358, 924_805, 1_144_896])
    if name == "sst2-bert":
        planning, checking = cut(data / "sst2.dev.tsv", 0.5, 1)
        return Model(directory, Data([planning], 436), lambda: Data([data / "sst2.train.tsv"], 1000),
                     Data([checking], 436), [400_000, 500_000, 650_000])
    if name == "wikitext-lm":
        def text():
            with lzma.open(data / "wikitext2.train.xz", "rt", encoding="utf-8") as file:
                return Data([written("train.txt", file.read())], 400)

        return Model(directory, Data([directory / "data/valid.txt"], 100), text,
                     Data([directory / "data/test.txt"], 200), [350_000, 400_000, 489_472])
    if name == "MiniLM":
        directory = models / "minilm-l6"
        if not (directory / "model.safetensors").exists():
            directory = pathlib.Path.home() / ".cache/bitplan-models/minilm-l6"
        planning, calibration, checking = cut(data / "stsb.dev.tsv", 0.25, 0.5, 1)
        return Model(directory, Data([planning], 100), lambda: Data([calibration], 375),
                     Data([checking], 750), [7_000_000, 9_197_400, 12_000_000])
    raise Refused(f"{name}: expected one of {', '.join(NAMES)}")
