import PlanFormat

extension Plan {
    /// Why this plan was written and not another that was measured, a line each: which plans were set aside,
    /// what the items do not tell apart, and what was predicted of the plan. Empty where nothing was
    /// measured.
    package func judgement(metricName: String) -> [String] {
        guard let measured else { return [] }
        return comparisons(of: measured, metricName: metricName) + [prediction(measured)].compactMap(\.self)
    }

    /// What was predicted of the plan before it was measured; nil where nothing was.
    private func prediction(_ measured: [MeasuredPlan]) -> String? {
        guard let kl = predicted?.klNats, let written = measured.first(where: { $0.origin == origin }) else {
            return nil
        }
        var line = "Its KL was predicted to be \(klText(kl))"
        if let interval = predicted?.klInterval {
            line += ", in 95 of 100 cases between \(klText(interval.low)) and \(klText(interval.high))"
        }
        return line + "; measured: \(klText(written.klNats))."
    }

    private func comparisons(of measured: [MeasuredPlan], metricName: String) -> [String] {
        var lines: [String] = []
        for plan in measured where plan.setAside != nil {
            guard let against = plan.against, let metric = against.metric else { continue }
            lines.append(
                "Set aside: \(plan.origin), of KL \(klText(plan.klNats)). Against \(against.name): \(metricName) "
                    + "\(metricDifferenceText(metric, of: metricName)), worse beyond the noise of "
                    + "\(grouped(against.items)) items.")
        }
        guard let written = measured.first(where: { $0.origin == origin }), let against = written.against,
            let kl = against.klNats
        else { return lines }
        var line =
            "Written: \(written.origin). Against \(against.name), the best uniform plan that fits: KL "
            + klDifferenceText(kl)
        if let metric = against.metric {
            line += ", \(metricName) \(metricDifferenceText(metric, of: metricName))"
        }
        line += "; 95% intervals of paired differences."
        if !(kl.isBelowNoise || kl.isAboveNoise) {
            line +=
                " Their KL is not told apart by \(grouped(against.items)) items; the smaller mean is written."
        }
        lines.append(line)
        if let metric = against.metric, let noise = noise(metric, against.items, metricName) {
            lines.append(noise)
        }
        return lines
    }

    /// What the items do not tell; nil where the metric's difference is beyond its noise and there are enough
    /// items to know.
    private func noise(_ metric: Difference, _ items: Int, _ metricName: String) -> String? {
        let isFew = items < PairedComparison.fewestItems
        guard isFew || !(metric.isAboveNoise || metric.isBelowNoise) else { return nil }
        let count = "\(grouped(items)) item\(items == 1 ? "" : "s")"
        var line = count + ": "
        if let interval = metric.interval {
            line += "the interval of the \(metricName) difference is ±"
            line +=
                "\(metricText(interval.halfWidth, of: metricName)), smaller differences are not told apart; "
        } else {
            line += "no interval of the \(metricName) difference is known; "
        }
        if isFew {
            line += "with fewer than \(PairedComparison.fewestItems) items the metric does not object; "
        }
        return line + "KL decides."
    }
}

/// An interval behind its value: ` [0.01, 0.02]`; empty where there is none.
func intervalText(_ interval: Interval?, _ text: (Double) -> String) -> String {
    interval.map { " [\(text($0.low)), \(text($0.high))]" } ?? ""
}

/// A difference of KL with its interval.
package func klDifferenceText(_ difference: Difference) -> String {
    differenceText(difference, klText)
}

/// A difference of a metric with its interval.
package func metricDifferenceText(_ difference: Difference, of name: String) -> String {
    differenceText(difference) { metricText($0, of: name) }
}

private func differenceText(_ difference: Difference, _ text: (Double) -> String) -> String {
    func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + text(value) }
    return signed(difference.value) + intervalText(difference.interval, signed)
}
