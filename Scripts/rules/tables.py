"""How the rules compare, as Markdown."""

METRICS = {"bleu": "BLEU", "accuracy": "accuracy", "spearman": "Spearman", "perplexity": "perplexity"}
OURS = "ours"


def is_less_better(quantity):
    return quantity in ("kl", "perplexity")


def difference(result, quantity):
    """What a rule's plan has of `quantity` less what ours has, on the same items, and its 95% interval.

    None where both plans are the same; the interval is None where there are too few items.
    """
    against = result["against"]
    found = against and against.get("klNats" if quantity == "kl" else "metric")
    return found and (found["value"], found.get("interval"))


def advantage(result, quantity):
    """1 where the rule's plan is better than ours beyond noise, -1 where it is worse, else 0."""
    low, high = (difference(result, quantity) or (0, None))[1] or (0, 0)
    sign = (low > 0) - (high < 0)
    return -sign if is_less_better(quantity) else sign


def difference_text(result, quantity):
    found = difference(result, quantity)
    if not found:
        return "the same plan"
    value, interval = found
    behind = f" [{interval[0]:+#.3g}, {interval[1]:+#.3g}]" if interval else ", no interval"
    return f"{value:+#.3g}{behind}"


def verdict(results, quantity):
    """How ours stands among the rules: best, within noise of the best, or worse."""
    ahead = [name for name, result in results.items() if advantage(result, quantity) > 0]
    if ahead:
        texts = [f"{name} ({difference_text(results[name], quantity)})" for name in ahead]
        return "**worse than** " + ", ".join(texts)
    sign = 1 if is_less_better(quantity) else -1
    best = min(results, key=lambda name: sign * results[name][quantity])
    if results[best][quantity] == results[OURS][quantity]:
        return "best"
    return f"within noise of {best} ({difference_text(results[best], quantity)})"


class Cell:
    """One budget of one model.

    budget: bytes; note: the data, as text; results: rule to what `bitplan evaluate` says.
    """

    def __init__(self, model, budget, note, results):
        self.model, self.budget, self.note, self.results = model, budget, note, results
        self.metric = next(name for name in METRICS if name in results[OURS])
        self.title = f"{model}, at most {budget:,} bytes"

    @property
    def advantages(self):
        """Those of all plans that are not ours, by KL and by the metric."""
        others = [result for result in self.results.values() if result["against"]]
        return [advantage(result, quantity) for result in others for quantity in ["kl", self.metric]]

    @property
    def lines(self):
        marks = {1: " **better**", 0: "", -1: " worse"}
        lines = [f"## {self.title}", "", self.note, "",
                 f"| rule | bytes | KL, nats | less ours, 95% | {METRICS[self.metric]} | less ours, 95% |",
                 "|---|---:|---:|---:|---:|---:|"]
        for name, result in self.results.items():
            texts = [name, f"{result['bytes']:,}"]
            for quantity in ["kl", self.metric]:
                text = "" if name == OURS else difference_text(result, quantity)
                texts += [f"{result[quantity]:#.4g}", text + marks[advantage(result, quantity)]]
            lines.append("| " + " | ".join(texts) + " |")
        return lines


def report(cells, missing, rules, command, method):
    """The whole Markdown.

    missing: the titles of cells that were not run; rules: name to how it chooses; method: lines of text.
    """
    advantages = [value for cell in cells for value in cell.advantages]
    lines = ["# The rules of other planners at equal bytes", "", "```", command, "```", "", *method, "",
             "| rule | how it chooses |", "|---|---|",
             *(f"| {name} | {text} |" for name, text in rules.items()),
             "", "## Ours among the others", "",
             f"Of {len(advantages)} differences from ours, {advantages.count(-1)} are in favour of ours and "
             f"{advantages.count(1)} against it beyond noise.",
             "Every interval is one of 95%, however many there are: one in 40 rules that are as good as ours",
             "would seem better.",
             "", "| model | bytes | rules | by KL | by the metric |", "|---|---:|---:|---|---|"]
    for cell in cells:
        by_kl, by_metric = (verdict(cell.results, quantity) for quantity in ["kl", cell.metric])
        count = f"{len(cell.results)} of {len(rules)}"
        verdicts = f"{by_kl} | {METRICS[cell.metric]}: {by_metric}"
        lines.append(f"| {cell.model} | {cell.budget:,} | {count} | {verdicts} |")
    if missing:
        lines += ["", "Not run; the command computes them without `--kept`:", "",
                  *(f"- {title}" for title in missing)]
    for cell in cells:
        lines += ["", *cell.lines]
    return "\n".join(lines) + "\n"
