"""How the rules compare, as Markdown."""

METRICS = {"bleu": "BLEU", "accuracy": "accuracy", "spearman": "Spearman", "perplexity": "perplexity"}
OURS = "ours"


def metric_of(result):
    return next(name for name in METRICS if name in result)


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


def cell_lines(results):
    """One budget of one model: a line for each rule."""
    metric = metric_of(results[OURS])
    marks = {1: " **better**", 0: "", -1: " worse"}
    lines = [f"| rule | bytes | KL, nats | less ours, 95% | {METRICS[metric]} | less ours, 95% |",
             "|---|---:|---:|---:|---:|---:|"]
    for name, result in results.items():
        cells = [name, f"{result['bytes']:,}"]
        for quantity in ["kl", metric]:
            text = "" if name == OURS else difference_text(result, quantity)
            cells += [f"{result[quantity]:#.4g}", text + marks[advantage(result, quantity)]]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def report(sections, rules, notes, command, method):
    """The whole Markdown.

    sections: model to budget in bytes to rule to what `bitplan evaluate` says; rules: name to how it chooses;
    notes: model to what it was measured on; method: lines of text.
    """
    cells = [(model, budget, results)
             for model, budgets in sections.items() for budget, results in budgets.items()]
    advantages = [advantage(result, quantity) for _, _, results in cells for result in results.values()
                  if result["against"] for quantity in ["kl", metric_of(result)]]
    lines = ["# The rules of other planners at equal bytes", "", "```", command, "```", "", *method, "",
             "| rule | how it chooses |", "|---|---|",
             *(f"| {name} | {text} |" for name, text in rules.items()),
             "", *(f"- {model}: {note}" for model, note in notes.items()),
             "", "## Ours among the others", "",
             f"Of {len(advantages)} differences from ours, {advantages.count(-1)} are in favour of ours and "
             f"{advantages.count(1)} against it beyond noise.",
             "Every interval is one of 95%, however many there are: one in 40 rules that are as good as ours",
             "would seem better.",
             "", "| model | bytes | by KL | by the metric |", "|---|---:|---|---|"]
    for model, budget, results in cells:
        metric = metric_of(results[OURS])
        verdicts = f"{verdict(results, 'kl')} | {METRICS[metric]}: {verdict(results, metric)}"
        lines.append(f"| {model} | {budget:,} | {verdicts} |")
    for model, budget, results in cells:
        lines += ["", f"## {model}, at most {budget:,} bytes", "", *cell_lines(results)]
    return "\n".join(lines) + "\n"
