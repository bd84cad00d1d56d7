#!/usr/bin/env python3
"""Fuzzes everything that reads files of others, each reader for so long: `make fuzz SECONDS=60`.

Usage: fuzz.py [--seconds S | --runs N | --total N] [--jobs J] [--report FILE] [--no-build] [TARGET ...]     (without targets: all)
       fuzz.py --check [--seconds S] [--seed N] [TARGET ...]
       fuzz.py --flags     (prints what the build gets)

Builds the readers with coverage and the address sanitizer (Sources/bitplan-fuzz has the targets), makes seeds from fixtures and goldens,
and runs libFuzzer, in J processes that share what they learn. That stays in .build-fuzz/corpus. An input that crashes, hangs for 5 seconds
or takes too much memory is left in .build-fuzz/findings/TARGET; the exit code is 1 then. What was mended lies in Tests/Crashers/TARGET, and
is read again at every start. --report adds what was run to the counts in FILE, whose table is written anew; --total runs as many inputs as
those counts lack of N.

--check is the short form of `make check`: the ordinary release build reads the seeds, what was mended, and random changes of both. The
numbers that the changes come from start at --seed, which every run prints.
"""
import argparse, concurrent.futures, glob, hashlib, json, os, random, re, resource, shutil, signal, struct, subprocess, sys, tempfile, time, zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = ".build-fuzz"
COVERAGE = "edge,inline-8bit-counters,trace-cmp"
# Bytes of the longest input, where it is not 4096: what seeds need.
LONGEST = {"safetensors": 8192, "marian-npz": 16384, "marian-bin": 16384, "packed-tensors": 32768, "table": 20000, "store": 65536,
           "tokenizer-bpe": 8192, "tokenizer-wordpiece": 8192, "vocab-json": 2048, "data-translation": 512, "data-labels": 1024, "data-text": 512,
           "command-line": 512, "option-values": 128}
# No reader may take more memory at once than this, in MB, whatever it reads; the process's own is about 100.
LARGEST_ALLOCATION, LARGEST_PROCESS = 64, 1024
MODELS, TOKENIZERS = "Tests/ModelsTests/Goldens", "Tests/TokenizersTests/Goldens"
SEEDS = {
    "pickle": [f"{MODELS}/hostile/*.bin"],
    "shards": [f"{MODELS}/tiny-bert/sharded/*.json"],
    "shortlist": ["Fixtures/marian-native/lex.bin", f"{MODELS}/marian-native/ssru/lex.bin"],
    "config-bert": [f"{MODELS}/tiny-bert/config.json"],
    "config-llama": [f"{MODELS}/tiny-llama/config.json"],
    "config-marian": [f"{BUILD}/made/config.json", f"{MODELS}/marian-*/config.json"],
    "generation-config": [f"{BUILD}/made/generation_config.json"],
    "marian-yml": ["Fixtures/marian-native/config.yml"],
    "packed-config": [f"{BUILD}/made/packed/config.json"],
    "packed-tensors": [f"{BUILD}/made/packed/model.safetensors"],
    "tokenizer-bpe": [f"{TOKENIZERS}/bpe-*/tokenizer.json", f"{MODELS}/tiny-llama/tokenizer.json"],
    "tokenizer-wordpiece": [f"{TOKENIZERS}/wordpiece-json/tokenizer.json"],
    "tokenizer-config": [f"{TOKENIZERS}/*/tokenizer_config.json", f"{MODELS}/*/tokenizer_config.json"],
    "vocab-txt": [f"{MODELS}/tiny-bert/vocab.txt", f"{TOKENIZERS}/wordpiece/vocab.txt"],
    "vocab-json": [f"{BUILD}/made/marian/vocab.json"],
    "sentencepiece": ["Fixtures/marian-native/vocab.spm", f"{TOKENIZERS}/marian/*.spm"],
    "plan": ["Plans/*.plan.json", f"{BUILD}/made/plan.json"],
    "table": [f"{BUILD}/made/table.json"],
    "comparison": ["Reports/demo.comparison.json"],
    "training-log": [f"{BUILD}/made/tuned/*log*.json", f"{BUILD}/made/tuned*.json"],
    "profile": [f"{BUILD}/made/profile.json"],
    "store": [f"{BUILD}/made/store.sqlite"],
    "data-translation": [f"{BUILD}/made/data/*.en"],
    "data-labels": [f"{BUILD}/made/data/*.tsv"],
    "data-text": [f"{BUILD}/made/data/*.en"],
    "command-line": [f"{BUILD}/made/lines/*"],
    "option-values": [f"{BUILD}/made/values/*"],
}
# Command lines of every command, one argument a line.
LINES = [
    "sweep m --data a b --limit 4 --schemes bcq1..4,int4:g64,nf4,emb4:r1,pq:b8:k256,tcq2:h --fit refined --metric-top 3 --precision 0.5 --output t",
    "plan t --size 20MB --latency 40ms --profile p --energy 2mJ --process 7nm --pin Dec_ed.3=bcq4 --allow Enc_ffn=bcq2,bcq3 --min-bits 2 --tie depth",
    "plan t --max-loss 0.1 --minimize bytes --model m --data a b --effort 10 --output p",
    "tune m --plan p --data a --minutes 1 --recipe weights --noise exact --noise-rate 0.5 --noise-block 8 --without abwr pt --rate 0.1 --clip 1 --output o",
    "quantize m --preset bcq3 --data a --output o",
    "run m --beams 2 --threads 2 --batch 8 --max-length 9 --temperature 0.5 --seed 7",
    "evaluate m --reference n --data a b --context 32 --stride 8 --targets own --json",
    "drop-layers m --keep 0,2..3 --output o",
    "export p --model m --to llama.cpp --nearest --output o",
    "store merge a b --store c", "store check", "inspect m --json", "cost m --profile p", "frontier t --size 10x,20x",
    "auto m --data a b --size 2.6bits --name n --tune 2", "report t --plan p --comparison c --output r.md", "--version", "help plan",
]
# Values of options that no line above has.
VALUES = ["1/4", "chung:4", "sensimix:1+1", "ipq:int8", "20kB", "1.5GiB", "Enc_*=bcq2", "*=int8"]


def run(arguments, **options):
    return subprocess.run(arguments, cwd=ROOT, env=ENVIRONMENT, **options)


def flags():
    """What `swift build` gets: coverage, the address sanitizer and libFuzzer, in a build of its own."""
    swiftc = shutil.which("swiftc")
    info = json.loads(subprocess.run([swiftc, "-print-target-info"], capture_output=True, text=True, check=True).stdout)
    runtime = os.path.join(info["paths"]["runtimeResourcePath"], "clang/lib/linux", "libclang_rt.fuzzer_no_main-x86_64.a")
    if not os.path.exists(runtime):
        sys.exit(f"fuzz: {runtime}: no such file: expected Swift for Linux on x86-64 with libFuzzer")
    return ["-c", "release", "--scratch-path", BUILD, "--sanitize=address", "-Xswiftc", "-DLIBFUZZER", "-Xswiftc", f"-sanitize-coverage={COVERAGE}",
            "-Xlinker", runtime, "-Xlinker", "-lstdc++"]


def build():
    if run(["swift", "build", "--product", "bitplan-fuzz", *flags()], stdout=subprocess.DEVNULL).returncode:
        sys.exit("fuzz: the build failed")


def safetensors(tensors):
    header, data = {}, b""
    for name, kind, shape, content in tensors:
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def npz(file, arrays):
    """Arrays of FP32, stored as NumPy does."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, shape, content in arrays:
            kind = "|i1" if name.startswith("special") else "<f4"
            text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
            text += " " * (-(len(text) + 11) % 64) + "\n"
            archive.writestr(name + ".npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + content)


def marian_binary(tensors):
    """Marian's binary form, version 1: headers, names, shapes, padding to 256 bytes, data."""
    headers, names, shapes, data = b"", b"", b"", b""
    for name, kind, shape, content in tensors:
        text = name.encode() + b"\0"
        headers += struct.pack("<4Q", len(text), kind, len(shape), len(content))
        names += text
        shapes += struct.pack(f"<{len(shape)}i", *shape)
        data += content
    head = struct.pack("<2Q", 1, len(tensors)) + headers + names + shapes
    offset = -(len(head) + 8) % 256
    return head + struct.pack("<Q", offset) + b"\0" * offset + data


def pieces_of(model):
    """The pieces of a SentencePiece model: field 1 of the message, and in each of them field 1."""
    def fields(message):
        place, found = 0, []
        while place < len(message):
            tag, place = number(message, place)
            if tag & 7 == 2:
                length, place = number(message, place)
            else:
                length = {1: 8, 5: 4}.get(tag & 7) or number(message, place)[1] - place
            found.append((tag >> 3, tag & 7, message[place:place + length]))
            place += length
        return [content for field, kind, content in found if field == 1 and kind == 2]

    def number(message, place):
        value, shift = 0, 0
        while True:
            value |= (message[place] & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if message[place - 1] < 0x80:
                return value, place

    return [fields(piece)[0].decode() for piece in fields(model)]


def write(path, content):
    path = os.path.join(ROOT, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def make():
    """Seeds that are not there as files, by the program itself where it writes such files."""
    made = os.path.join(ROOT, BUILD, "made")
    complete = os.path.join(made, "complete")
    if os.path.exists(complete) and os.path.getmtime(complete) >= max(map(os.path.getmtime, (PROGRAM, __file__))):
        return
    shutil.rmtree(made, ignore_errors=True)
    os.makedirs(made)
    here = f"{BUILD}/made"
    data = ["--data", "Fixtures/data/plan.en", "Fixtures/data/plan.de", "--limit", "4"]
    native = "Fixtures/marian-native"
    for command in (
        ["sweep", native, *data, "--schemes", "bcq2,int8", "--no-groups", "--store", f"{here}/store.sqlite", "--output", f"{here}/table.json"],
        ["plan", f"{here}/table.json", "--size", "3x", "--output", f"{here}/plan.json"],
        ["quantize", native, "--plan", f"{here}/plan.json", *data[:3], "--output", f"{here}/packed"],
        ["tune", native, "--plan", f"{here}/plan.json", *data[:3], "--steps", "2", "--no-store", "--output", f"{here}/tuned"],
    ):
        done = run([PROGRAM, *command], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"fuzz: bitplan {' '.join(command)}: {done.stderr[-2000:]}")
    numbers = struct.pack("<6f", 1, 2, 3, -1, 0.5, 0)
    write(f"{here}/safetensors", safetensors([("a", "F32", [2, 3], numbers), ("b", "F16", [4], b"\0<" * 4), ("c", "BF16", [1, 2], b"\x80?" * 2)]))
    npz(os.path.join(made, "marian-npz"), [("a", "(2, 3)", numbers), ("special:model.yml", "(7,)", b"a: 1\nb\0")])
    write(f"{here}/marian-bin", marian_binary([("a", 0x404, [2, 3], numbers), ("special:model.yml", 0x101, [7], b"a: 1\nb\0"), ("b_intgemm", 0x4101, [4, 4], b"\1" * 16 + numbers[:4])]))
    # Few pieces: the library reads them again for every input. Sources and targets of MarianMT models have them, and padding behind.
    pieces = pieces_of(open(os.path.join(ROOT, native, "vocab.spm"), "rb").read())
    write(f"{here}/marian/vocab.json", json.dumps({piece: number for number, piece in enumerate([*pieces, "<pad>"])}, ensure_ascii=False))
    for name in ("source.spm", "target.spm"):
        shutil.copy(os.path.join(ROOT, native, "vocab.spm"), os.path.join(made, "marian", name))
    shutil.copy(os.path.join(ROOT, TOKENIZERS, "marian/tokenizer_config.json"), os.path.join(made, "marian"))
    for name in ("check.en", "sst2.check.tsv"):
        lines = open(os.path.join(ROOT, "Fixtures/data", name)).read().splitlines()
        for start in range(0, 12, 4):
            write(f"{here}/data/{start}.{name}", "\n".join(lines[start:start + 4]) + "\n")
    tokens = len(pieces) + 1
    config = json.load(open(os.path.join(ROOT, MODELS, "marian-gelu-1-2/config.json")))
    config |= {"vocab_size": tokens, "decoder_vocab_size": tokens, "pad_token_id": tokens - 1, "decoder_start_token_id": tokens - 1}
    write(f"{here}/config.json", json.dumps(config))
    generation = json.load(open(os.path.join(ROOT, "Fixtures/tatoeba-en-de/generation_config.json")))
    generation |= {"pad_token_id": tokens - 1, "decoder_start_token_id": tokens - 1, "bad_words_ids": [[tokens - 1]]}
    write(f"{here}/generation_config.json", json.dumps(generation))
    point = {"rows": 8, "columns": 8, "tokens": 1, "workingSetBytes": 1 << 20, "seconds": 1e-7, "spread": 0, "preparationSeconds": 0}
    points = [point | {"rows": r, "columns": c, "tokens": t} for r in (8, 64) for c in (8, 64) for t in (1, 4)]
    write(f"{here}/profile.json", json.dumps({
        "schemaVersion": 1, "tool": "fuzz", "machine": {"processor": "none", "instructions": "none", "referenceSeconds": 1e-6, "disturbance": 0},
        "kernels": [{"scheme": "fp32", "points": points, "lookups": [{"columns": 8, "seconds": 1e-8}]}],
        "overheads": [{"modelType": "marian", "seconds": {"item": 1e-5}, "spread": 0, "sharesPreparations": False}]}))
    for number, line in enumerate(LINES):
        write(f"{here}/lines/{number}", line.replace(" ", "\n"))
    for number, value in enumerate(sorted({word for line in LINES for word in line.split() if not word.startswith("-")} | set(VALUES))):
        write(f"{here}/values/{number}", value)
    write(f"{here}/complete", "")


def seeds(target):
    """Seeds, and what once was a finding."""
    patterns = SEEDS.get(target, [f"{BUILD}/made/{target}"]) + [f"Tests/Crashers/{target}/*"]
    files = sorted(file for pattern in patterns for file in glob.glob(os.path.join(ROOT, pattern)) if os.path.isfile(file))
    if not files:
        sys.exit(f"fuzz: {target}: no seeds")
    return files


def dictionary(target, files):
    """Words of the seeds, which random changes would hardly come to: keys and texts in quotes, options."""
    words = set()
    for file in files[:40]:
        content = open(file, "rb").read(65536)
        words |= set(re.findall(rb'"[^"\\\n]{1,40}"', content)) | set(re.findall(rb"--[a-z-]+", content))
        words |= set(re.findall(rb"[A-Za-z_]{4,24}", content)) if len(content) < 4096 else set()
    for number in (b"-1", b"0", b"1e308", b"9223372036854775807", b"4294967296", b"null", b"true", b"[]", b"{}"):
        words.add(number)
    lines = ("\"" + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in word) + "\"" for word in sorted(words)[:400])
    path = os.path.join(ROOT, BUILD, "dictionaries", target)
    write(os.path.relpath(path, ROOT), "\n".join(lines) + "\n")
    return path


def found(target):
    """The directory of a target's findings."""
    path = os.path.join(ROOT, BUILD, "findings", target)
    os.makedirs(path, exist_ok=True)
    return path


def memory_directory():
    """A directory for the files that inputs become; in memory where the system has a place for that."""
    return tempfile.TemporaryDirectory(prefix="bitplan-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def processor_seconds():
    """What all processes that have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fuzz(target, arguments, runs):
    """Runs libFuzzer on one target, for so many inputs or seconds; gives its counts, and whether something was found or did not run."""
    files = seeds(target)
    findings = found(target)
    corpus = os.path.join(ROOT, BUILD, "corpus", target)
    logs = [os.path.join(ROOT, BUILD, "logs", f"{target}.{job}.log") for job in range(arguments.jobs)]
    for directory in (corpus, os.path.dirname(logs[0])):
        os.makedirs(directory, exist_ok=True)
    before = set(os.listdir(findings))
    limit = f"-max_total_time={arguments.seconds}" if arguments.seconds else f"-runs={-(-runs // arguments.jobs)}"
    command = [
        PROGRAM, "fuzz", target, corpus, "-seed_inputs=" + ",".join(files), f"-dict={dictionary(target, files)}", limit, "-timeout=5",
        f"-max_len={LONGEST.get(target, 4096)}", f"-malloc_limit_mb={LARGEST_ALLOCATION}", f"-rss_limit_mb={LARGEST_PROCESS}",
        f"-reload={int(arguments.jobs > 1)}", "-print_final_stats=1", f"-artifact_prefix={findings}/"]
    start, processor = time.time(), processor_seconds()
    with memory_directory() as memory:
        processes = []
        for log in logs:
            with open(log, "wb") as output:
                processes.append(subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT | {"TMPDIR": memory}, stdout=output, stderr=output))
        for process in processes:
            process.wait()
    seconds, processor = time.time() - start, processor_seconds() - processor
    texts = [open(log, errors="replace").read() for log in logs]

    def last(pattern):
        """What each process said last."""
        return [int(([0] + re.findall(pattern, text))[-1]) for text in texts]

    new = sorted(set(os.listdir(findings)) - before)
    executions = last(r"stat::number_of_executed_units: (\d+)")
    counts = {"executions": sum(executions), "features": max(last(r"ft: (\d+)")), "peakMB": max(last(r"stat::peak_rss_mb: +(\d+)")),
              "rate": round(sum(executions) / processor), "findings": len(new)}
    failed = "" if new or all(executions) else f"; did not run: see {os.path.relpath(logs[0], ROOT)}"
    print(f"{target}: {counts['executions']} inputs, {counts['rate']} a second of processor time, {counts['features']} features, {counts['peakMB']} MB, {seconds:.0f} s"
          + "".join(f"\n  finding: {BUILD}/findings/{target}/{name}" for name in new) + failed, flush=True)
    return counts, bool(new or failed)


def check(target, seconds, seed):
    """Has the ordinary build read a target's seeds and changes of them; gives what to print, and whether it is a finding."""
    with memory_directory() as memory:
        done = subprocess.run(
            [PROGRAM, "check", target, str(seed), str(seconds), *seeds(target)], cwd=ROOT, env=ENVIRONMENT | {"TMPDIR": memory}, capture_output=True,
            text=True, errors="replace", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LARGEST_PROCESS << 20,) * 2))
        if done.returncode == 0:
            return f"{target}: {done.stdout.strip()}", False
        end = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        place = ""
        input = os.path.join(memory, "input")
        if os.path.exists(input):
            with open(input, "rb") as file:
                place = os.path.join(found(target), "check-" + hashlib.sha1(file.read()).hexdigest()[:16])
            shutil.copy(input, place)
        said = (done.stderr.strip().splitlines() or [""])[0]
        return f"{target}: {end} with --seed {seed}: {said}\n  finding: {os.path.relpath(place, ROOT) if place else 'no input was read'}", True


def counted(path):
    """The counts of all runs, by target, and the file beside the report that has them."""
    store = os.path.splitext(path)[0] + ".json"
    return (json.load(open(store)) if os.path.exists(store) else {}), store


def report(path, measured):
    """Adds counts to the file beside the report and renders the table of all that were ever run."""
    known, store = counted(path)
    for target, counts in measured.items():
        old = known.get(target, {})
        known[target] = {key: (old.get(key, 0) + value if key in ("executions", "findings") else value if key == "rate" else max(old.get(key, 0), value))
                         for key, value in counts.items()}
    with open(store, "w") as file:
        json.dump(known, file, indent=1, sort_keys=True)
        file.write("\n")
    lines = [
        "# Fuzzing", "",
        "Every reader of files of others under coverage-guided random input (libFuzzer, address sanitizer): `make fuzz`, or",
        "`python3 Scripts/fuzz.py --total 1000000 --report Reports/fuzzing.md`. Counts add up over runs; features, libFuzzer's measure of",
        f"coverage (edges, and how often they are taken), are the most of one run, inputs a second those of processor time in the last. An input that crashes, takes 5 seconds, allocates {LARGEST_ALLOCATION} MB at once or brings the process to "
        f"{LARGEST_PROCESS} MB is a finding; mended ones lie in `Tests/Crashers`.", "",
        "Most of the time of `command-line` goes to the argument parser, which looks through all options of a command by reflection; `option-values` reads",
        "the same values without it.", "",
        "| reader | inputs | inputs a second | features | peak memory, MB | findings | files in Tests/Crashers |", "|---|---:|---:|---:|---:|---:|---:|"]
    for target in TARGETS:
        c = known.get(target)
        if c:
            crashers = len(glob.glob(os.path.join(ROOT, "Tests/Crashers", target, "*")))
            lines.append(f"| {target} | {c['executions']:,} | {c['rate']:,} | {c['features']:,} | {c['peakMB']} | {c['findings']} | {crashers} |")
    total = sum(c["executions"] for c in known.values())
    lines += ["", f"{total:,} inputs in all."]
    write(os.path.relpath(path, ROOT), "\n".join(lines) + "\n")


# One crash is one line of libFuzzer's log; neither Swift nor the sanitizer is to unwind it.
ENVIRONMENT = os.environ | {"SWIFT_BACKTRACE": "enable=no", "ASAN_OPTIONS": "symbolize=0:detect_leaks=0:quarantine_size_mb=32:malloc_context_size=1:allocator_may_return_null=1"}

parser = argparse.ArgumentParser(usage="fuzz.py [--check] [--seconds S | --runs N | --total N] [--jobs J] [--seed N] [--report FILE] [--no-build] [TARGET ...]")
parser.add_argument("--check", action="store_true")
parser.add_argument("--seconds", type=int)
parser.add_argument("--runs", type=int, default=1_000_000)
parser.add_argument("--total", type=int)
parser.add_argument("--jobs", type=int, default=1)
parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
parser.add_argument("--report")
parser.add_argument("--no-build", action="store_true")
parser.add_argument("--flags", action="store_true")
parser.add_argument("targets", nargs="*")
arguments = parser.parse_args()
if arguments.flags:
    print(*flags())
    sys.exit()
if arguments.total and not arguments.report:
    parser.error("--total counts what FILE of --report has: expected one")
PROGRAM = os.path.join(ROOT, ".build" if arguments.check else BUILD, "release", "bitplan-fuzz")
if not arguments.check and not arguments.no_build:
    build()
make()
TARGETS = run([PROGRAM, "targets"], capture_output=True, text=True).stdout.split()
for target in arguments.targets:
    if target not in TARGETS:
        sys.exit(f"fuzz: unknown target '{target}', expected one of {', '.join(TARGETS)}")
failed = False
if arguments.check:
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text, bad in pool.map(lambda target: check(target, arguments.seconds or 2, arguments.seed), arguments.targets or TARGETS):
            print(text, flush=True)
            failed |= bad
    print(f"seed {arguments.seed}")
else:
    path = arguments.report and os.path.join(ROOT, arguments.report)
    for target in arguments.targets or TARGETS:
        known = counted(path)[0].get(target, {}).get("executions", 0) if arguments.total else 0
        runs = (arguments.total or arguments.runs) - known
        if runs <= 0:
            continue
        counts, bad = fuzz(target, arguments, runs)
        failed |= bad
        if path:
            report(path, {target: counts})
sys.exit(1 if failed else 0)
