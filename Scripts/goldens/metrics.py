#!/usr/bin/env python3
"""Makes Tests/MetricsTests/Goldens/*.json with implementations that are not ours.

    python3 Scripts/goldens/metrics.py [TATOEBA_DATA]

Needs sacrebleu 2.6.0, scipy, scikit-learn, mpmath. TATOEBA_DATA (default ../shared/models/tatoeba-en-de/data)
holds val.de and test.de: sentences of Tatoeba (tatoeba.org), CC-BY 2.0 FR, of which perturbed ones are stored.
Deterministic: running it again leaves the files as they are.
"""

import json
import random
import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import sacrebleu
from scipy import stats
from sklearn import metrics as sk

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "Tests/MetricsTests/Goldens"
TATOEBA = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/models/tatoeba-en-de/data"

BLEU = sacrebleu.BLEU()
CHRF = sacrebleu.CHRF()

# (hypothesis, reference): what tokenizers and scorers get wrong.
HOSTILE = {
    "empty both": ("", ""),
    "empty hypothesis": ("", "The cat sat on the mat."),
    "empty reference": ("The cat sat on the mat.", ""),
    "whitespace only": (" \t\u00a0\u3000\n", "\u2003 \u2028"),
    "one word": ("cat", "cat"),
    "one word, other": ("cat", "dog"),
    "two words": ("the cat", "the cat"),
    "three of four": ("the cat sat", "the cat sat down"),
    "four words": ("the cat sat down", "the cat sat down"),
    "case": ("The Cat sat on the mat", "the cat sat on the mat"),
    "repeated": ("the the the the the the the", "the cat is on the mat near the door"),
    "numbers": ("It cost 1,234.56 dollars, or 3.14.", "It cost 1,234.56 dollars , or 3.14 ."),
    "periods beside digits": ("v1.2. a.1 1.a .5 5. 1,,2 ,3 3,", "v1.2 . a . 1 1. a .5 5 . 1 , , 2 , 3 3 ,"),
    "period runs": ("Wait... what?.. no..,,.. 1...2 .,.,.", "Wait ... what ? no 1 ... 2"),
    "leading period": (".5 is half", ".5 is half"),
    "hyphens": ("10-year 10-20 well-known -5 5- -- 3--4", "10 - year 10 - 20 well-known -5 5 - -- 3 - -4"),
    "non-ASCII digits": ("\u0661\u0662.\u0663 \uff11,\uff12 \u09e7-\u09e8", "\u0661\u0662 . \u0663 \uff11 , \uff12 \u09e7-\u09e8"),
    "entities": ("&quot;Tom&quot; &amp; Jerry &lt;3 &gt;", '"Tom" & Jerry <3 >'),
    "nested entities": ("&amp;lt; &amp;quot; &amp;amp; &amp;gt; &quot &ampamp;;", "< &quot; & > &quot &amp;"),
    "skipped": ("a<skipped>b <skip<skipped>ped> &lt;skipped&gt;", "ab <skipped>"),
    "line ends": ("end-\nof line\nnext\r\nlast-\n", "endof line next last-"),
    "ascii punctuation": ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "! \" # $ % & ' ( ) * + , - . / : ; < = > ? @ [ \\ ] ^ _ ` { | } ~"),
    "apostrophes": ("don't can\u2019t 'tis rock'n'roll", "don 't can\u2019t 'tis rock'n'roll"),
    "unicode punctuation": ("\u201eHallo\u201c \u2013 sagte er\u2026 \u00abOui\u00bb \u2014 \u00bfQu\u00e9?", "\"Hallo\" - sagte er... \u00abOui\u00bb \u2014 \u00bfQu\u00e9?"),
    "fullwidth punctuation": ("\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u4f60\u597d\uff0c\u4e16\u754c\u3002"),
    "cjk": ("\u6211\u7231\u5317\u4eac\u5929\u5b89\u95e8 2019.5 \u5e74", "\u6211 \u7231 \u5317\u4eac \u5929\u5b89\u95e8 2019.5\u5e74"),
    "japanese and korean": ("\u79c1\u306f\u732b\u3067\u3059\u3002 \uace0\uc591\uc774\uc785\ub2c8\ub2e4.", "\u79c1\u306f\u72ac\u3067\u3059\u3002 \uace0\uc591\uc774\uc774\ub2e4."),
    "emoji": ("Nice \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea!", "Nice \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1eb!"),
    "composed against decomposed": ("caf\u00e9 \u00c5ngstr\u00f6m na\u00efve fianc\u00e9e", "cafe\u0301 A\u030angstro\u0308m nai\u0308ve fiance\u0301e"),
    "hangul jamo": ("\ud55c\uae00 \ub9d0", "\u1112\u1161\u11ab\u1100\u1173\u11af \u1106\u1161\u11af"),
    "combining after punctuation": ("a.\u0301 b,\u0308 1-\u0301", "a. b, 1-"),
    "tabs and no-break spaces": ("a\tb\u00a0c\u202fd\u2009e\u3000f\u1680g\u205fh", "a b c d e f g h"),
    "information separators": ("a\x1cb\x1dc\x1ed\x1fe\x85f\x0bg\x0ch", "a b c d e f g h"),
    "not whitespace": ("a\u200bb\ufeffc\u180ed\u2060e\x00f\x7fg", "a b c d e f g"),
    "right to left": ("\u05e9\u05dc\u05d5\u05dd, \u05e2\u05d5\u05dc\u05dd. \u0645\u0631\u062d\u0628\u0627\u060c \u0639\u0627\u0644\u0645", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd . \u0645\u0631\u062d\u0628\u0627"),
    "short characters": ("ab", "abcdefgh"),
    "shorter reference characters": ("abcdefgh", "ab"),
}

WORDS = "the a cat dog sat on mat, and. 3.5 10-20 don't (yes) \"no\" \u00e9t\u00e9 \u4e2d\u6587 na\u00efve; 1,000 it's -- ...".split()


def perturbed(rng, sentence):
    """Drops, doubles, swaps and replaces words, as a bad translation does."""
    words = sentence.split()
    for _ in range(rng.randrange(4)):
        if not words:
            break
        i = rng.randrange(len(words))
        kind = rng.randrange(4)
        if kind == 0:
            del words[i]
        elif kind == 1:
            words.insert(i, words[i])
        elif kind == 2:
            words[i] = rng.choice(WORDS)
        else:
            j = rng.randrange(len(words))
            words[i], words[j] = words[j], words[i]
    return " ".join(words)


def corpora():
    rng = random.Random(3)
    for name, pair in HOSTILE.items():
        yield name, [pair]
    yield "all hostile pairs", list(HOSTILE.values())
    yield "short sentences", [("yes", "yes"), ("no way", "no way"), ("go on now", "go on then")]
    yield "no match at all", [("a b c d e", "f g h i j")] * 3
    yield "bigrams at most", [("a b x c d", "a b y c d"), ("e f g", "e f h")]
    for seed in range(3):
        references = [" ".join(rng.choices(WORDS, k=rng.randrange(1, 25))) for _ in range(25)]
        yield f"random words {seed}", [(perturbed(rng, r), r) for r in references]
    references = (TATOEBA / "val.de").read_text(encoding="utf-8").splitlines()[:60]
    yield "tatoeba perturbed", [(perturbed(rng, r), r) for r in references]
    yield "tatoeba identical", [(r, r) for r in references[:5]]
    words = [rng.choice(WORDS) for _ in range(3000)]
    yield "very long", [(perturbed(rng, " ".join(words[:2900])), " ".join(words))]


def golden_corpora():
    cases = []
    for name, pairs in corpora():
        hypotheses, references = [p[0] for p in pairs], [p[1] for p in pairs]
        bleu = BLEU.corpus_score(hypotheses, [references])
        cases.append({
            "name": name, "hypotheses": hypotheses, "references": references,
            "bleu": bleu.score, "precisions": bleu.precisions, "brevityPenalty": bleu.bp,
            "text": bleu.format(), "chrF": CHRF.corpus_score(hypotheses, [references]).score,
            "bleuStatistics": BLEU._extract_corpus_statistics(hypotheses, [references]),
            "chrFStatistics": CHRF._extract_corpus_statistics(hypotheses, [references]),
        })
    references = (TATOEBA / "test.de").read_text(encoding="utf-8").splitlines()
    hypotheses = [clipped(r, i) for i, r in enumerate(references)]
    return {
        "origin": "sentences named tatoeba: tatoeba.org, CC-BY 2.0 FR, some perturbed; the others are made up",
        "bleuSignature": str(BLEU.get_signature()), "chrFSignature": str(CHRF.get_signature()), "cases": cases,
        "tatoebaTestClipped": {
            "bleu": BLEU.corpus_score(hypotheses, [references]).score,
            "chrF": CHRF.corpus_score(hypotheses, [references]).score,
        },
    }


def clipped(sentence, index):
    """A rule simple enough to be applied by the test too: without the words at index, index + 7, ... modulo 7."""
    return " ".join(w for i, w in enumerate(sentence.split(" ")) if i % 7 != index % 7)


def golden_tokenizer():
    rng = random.Random(13)
    texts = [t for pair in HOSTILE.values() for t in pair]
    pieces = list(" \t\n.,-'&;<>09a\u00e9\u4e2d\U0001f600\u0301\u00a0\u3000\x1c\u200b/()[]{|}~@`!") + [
        "&quot;", "&amp;", "&lt;", "&gt;", "<skipped>", "-\n", "quot;", "amp;", "12", "word"]
    texts += ["".join(rng.choices(pieces, k=rng.randrange(1, 30))) for _ in range(300)]
    return [{"text": t, "tokens": BLEU._preprocess_segment(t).split()} for t in texts]


def golden_classification():
    rng = random.Random(5)
    pairs = [([1], [1]), ([0], [0]), ([1], [0]), ([0, 0, 0], [0, 1, 0]), ([1, 1, 1], [1, 1, 1]), ([0, 1], [1, 0]),
             ([0, 0, 0, 0], [0, 0, 0, 0]), ([-1, 1, -1, 1], [1, 1, -1, -1]), ([7, 7, 3], [3, 7, 9])]
    for labels, n in [(2, 20), (2, 500), (3, 50), (5, 200), (10, 12)]:
        truth = [rng.randrange(labels) for _ in range(n)]
        pairs.append(([t if rng.random() < 0.7 else rng.randrange(labels) for t in truth], truth))
        pairs.append(([rng.randrange(labels) for _ in truth], truth))
    pairs.append(([1 if rng.random() < 0.01 else 0 for _ in range(300)], [1 if rng.random() < 0.02 else 0 for _ in range(300)]))
    return [{
        "predictions": p, "labels": y, "accuracy": sk.accuracy_score(y, p),
        "f1": sk.f1_score(y, p, labels=[1], average="macro", zero_division=0),
        "macroF1": sk.f1_score(y, p, average="macro", zero_division=0), "matthews": sk.matthews_corrcoef(y, p),
    } for p, y in pairs]


def golden_correlation():
    rng = np.random.default_rng(6)
    series = [([1, 2], [3, 5]), ([1, 2], [5, 3]), ([1, 2], [4, 4]), ([1, 1, 1], [1, 2, 3]), ([0.1] * 10, [0.1] * 10),
              ([1, 2, 3], [1, 2, 3]), ([3, 2, 1], [1, 2, 3]), ([1, 1, 2, 2], [1, 2, 1, 2]), ([1, 1, 1, 5], [2, 2, 2, 1]),
              ([1e200, -1e200, 3e199], [1, 2, 5]), ([1e-200, 2e-200, 5e-200], [1, 4, 2]), ([-0.0, 0.0, 1], [1, 2, 3]),
              ([1e9 + 0.25, 1e9 + 0.5, 1e9 + 1], [3, 1, 2])]
    for n in [3, 10, 100]:
        x = rng.normal(size=n)
        series += [(x, x + rng.normal(size=n)), (np.round(x), np.round(x + rng.normal(size=n))), (x, -np.exp(x))]
    scores = np.round(rng.uniform(0, 5, size=150), 1)
    series.append((np.clip(scores / 5 + rng.normal(0, 0.1, size=150), -1, 1), scores))
    cases = []
    for x, y in series:
        x, y = [float(v) for v in x], [float(v) for v in y]
        pearson, spearman = float(stats.pearsonr(x, y)[0]), float(stats.spearmanr(x, y)[0])
        cases.append({"x": x, "y": y, "ranks": stats.rankdata(x).tolist(),
                      "pearson": None if np.isnan(pearson) else pearson,
                      "spearman": None if np.isnan(spearman) else spearman})
    return cases


def golden_logits():
    mpmath.mp.dps = 60
    rng = np.random.default_rng(7)
    rows = [([0.0], [5.0]), ([3.0, -3.0], [3.0, -3.0]), ([88.0, -88.0, 0.5], [-88.0, 88.0, 0.25]),
            ([3e38, -3e38, 0.0], [3e38, -3e38, 1.0]), ([-1e30, -1e30], [-1e30, -1e30]), ([1000.0] * 5, [-1000.0] * 5)]
    for n, scale, noise in [(2, 1, 1), (7, 1, 0.1), (64, 3, 1), (64, 3, 1e-3), (64, 3, 1e-6), (65, 30, 3), (33, 100, 100)]:
        p = (rng.normal(size=n) * scale).astype(np.float32)
        rows.append((p, (p + rng.normal(size=n) * noise).astype(np.float32)))
    rows.append((p, p + np.float32(4096)))
    cases = []
    for p, q in rows:
        p, q = [float(np.float32(v)) for v in p], [float(np.float32(v)) for v in q]

        def log_softmax(row):
            top = max(row)
            z = [mpmath.mpf(v) - mpmath.mpf(top) for v in row]
            lse = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in z))
            return [v - lse for v in z], lse + mpmath.mpf(top)

        (lp, _), (lq, lse) = log_softmax(p), log_softmax(q)
        kl = mpmath.fsum(mpmath.exp(a) * (a - b) for a, b in zip(lp, lq))
        target = len(q) // 2
        cases.append({"p": p, "q": q, "target": target, "logSumExp": float(lse),
                      "crossEntropy": float(-lq[target]), "kl": float(kl)})
    return cases


def splitmix(seed):
    mask = (1 << 64) - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def resamples(seed, n, replicates):
    numbers = splitmix(seed)
    for _ in range(replicates):
        row = []
        while len(row) < n:
            product = next(numbers) * n
            if product % 2**64 >= 2**64 % n:
                row.append(product >> 64)
        yield row


def golden_statistics():
    stream = splitmix(1234567)  # Vigna's own test vector.
    assert [next(stream) for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]

    quantiles = [{"probability": p, "normal": stats.norm.ppf(p), "degreesOfFreedom": df, "studentT": stats.t.ppf(p, df)}
                 for p in [1e-12, 1e-6, 0.005, 0.025, 0.3, 0.5, 0.6, 0.95, 0.975, 0.9995]
                 for df in [1, 2, 3, 7, 30, 99, 101, 199, 1999, 100000]]

    rng = np.random.default_rng(8)
    means = []
    for n in [2, 3, 30, 200]:
        x = rng.normal(size=n) * 3 + 1
        se = stats.sem(x)
        means.append({"values": x.tolist(), "mean": x.mean(), "standardError": se,
                      "studentT": list(stats.t.interval(0.95, n - 1, x.mean(), se)),
                      "normal": list(stats.norm.interval(0.99, x.mean(), se))})
    ratios = []
    for n in [2, 5, 40]:
        tokens = rng.integers(1, 40, size=n)
        nats = rng.gamma(2, 1, size=n) * tokens
        r = nats.sum() / tokens.sum()
        e = nats - r * tokens
        # Cochran's form: mean tokens, and the variance of the residuals with ddof 1.
        se = np.sqrt(e.var(ddof=1) / n) / tokens.mean()
        ratios.append({"nats": nats.tolist(), "tokens": tokens.tolist(), "value": r, "standardError": se,
                       "perplexity": np.exp(r), "bitsPerByte": nats.sum() / np.log(2) / 1000})

    pairs = dict(corpora())["tatoeba perturbed"]
    again = random.Random(9)
    references = [p[1] for p in pairs]
    baseline = BLEU._extract_corpus_statistics([p[0] for p in pairs], [references])
    other = BLEU._extract_corpus_statistics([perturbed(again, perturbed(again, p[0])) for p in pairs], [references])
    scores = lambda rows: BLEU._compute_score_from_stats([int(v) for v in np.sum(rows, axis=0)]).score
    n = len(pairs)
    draws = list(resamples(42, n, 300))
    base = np.array([scores([baseline[i] for i in d]) for d in draws])
    cand = np.array([scores([other[i] for i in d]) for d in draws])
    tail = stats.norm.cdf(stats.t.ppf(0.05, n - 1) * np.sqrt(n / (n - 1)))  # Hesterberg's expanded percentiles.
    bootstrap = {
        "seed": 42, "replicates": 300, "confidence": 0.9, "baseline": baseline, "candidate": other,
        "firstDraw": draws[0], "baselineScore": scores(baseline),
        "interval": np.quantile(base, [tail, 1 - tail]).tolist(), "difference": scores(other) - scores(baseline),
        "differenceInterval": np.quantile(cand - base, [tail, 1 - tail]).tolist(),
    }
    return {"quantiles": quantiles, "means": means, "ratios": ratios, "bootstrap": bootstrap}


def write(name, value):
    items = value if isinstance(value, dict) else {"cases": value}
    lines = []
    for key, part in items.items():
        if isinstance(part, list):
            rows = ",\n".join(json.dumps(row, default=float) for row in part)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(part, default=float)}")
    (GOLDENS / name).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # scikit-learn warns of every degenerate case, and those are the point.
    GOLDENS.mkdir(parents=True, exist_ok=True)
    write("corpora.json", golden_corpora())
    write("tokenizer.json", golden_tokenizer())
    write("classification.json", golden_classification())
    write("correlation.json", golden_correlation())
    write("logits.json", golden_logits())
    write("statistics.json", golden_statistics())
