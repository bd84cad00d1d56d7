import PlanFormat

extension Plan {
    /// Why this plan was written and not another that was measured, a line each: which plans were set aside,
    /// what the items do not tell apart; and last what is known of its KL.
    package func judgement(metricName: String) -> [String] {
        comparisons(of: measured ?? [], metricName: metricName) + [lossText]
    }

    /// Whether any plan was measured before this one was written.
    var isMeasured: Bool { measured?.isEmpty == false }

    /// What is known of the plan's KL: what was measured, with the interval that its items give, and what was
    /// predicted, with an interval only where measured plans around it gave one.
    private var lossText: String {
        guard let written = measured?.first(where: { $0.origin == origin }) else {
            guard let kl = predicted?.klNats else { return "Its KL was neither predicted nor measured." }
            return
                "Its KL is predicted to be \(klText(kl)), a sum of losses. It was not measured, so that no interval is known."
        }
        let items = provenance.map { "the \(grouped($0.sentences)) items" } ?? "the items"
        var text = "Its KL on \(items) that it was planned on: \(klText(written.klNats))"
        if let interval = written.klInterval {
            text += ", 95% interval \(klText(interval.low)) to \(klText(interval.high))."
        } else {
            text += "; they are too few for an interval."
        }
        if fit?.isCalibrated == true, let provenance, provenance.calibrationSHA256 == nil {
            text += " Codes of all plans are fitted on these items too, which flatters them."
        }
        guard let kl = predicted?.klNats else { return text }
        text += " Predicted: \(klText(kl))"
        guard let interval = predicted?.klInterval else {
            return text + ", a sum of losses, whose error was not known."
        }
        return text + ", in 95 of 100 cases between \(klText(interval.low)) and \(klText(interval.high))."
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
