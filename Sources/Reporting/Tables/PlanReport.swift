import PlanFormat

extension Plan {
    /// The bits of every sublayer: a row per kind, a column per depth.
    package func bitsTable(of layout: ModelLayout) throws(PlanError) -> String {
        let schemes = try schemes(of: layout)
        var kinds: [SublayerKind] = []
        for kind in layout.sublayers.map(\.name.kind) where !kinds.contains(kind) { kinds.append(kind) }
        let depths = (layout.sublayers.compactMap(\.name.depth).max() ?? 0) + 1
        var table = MarkdownTable(["sublayer"] + (0..<depths).map(String.init))
        for kind in kinds {
            var cells = [String](repeating: "", count: depths)
            for (sublayer, scheme) in zip(layout.sublayers, schemes) where sublayer.name.kind == kind {
                cells[sublayer.name.depth ?? 0] = scheme.description
            }
            table.add([kind.rawValue] + cells)
        }
        return table.text
    }

    /// The plans that were measured before this one was written, on the data that it was planned on.
    package func measuredTable(metricName: String, fullPrecisionBytes: Int) -> String {
        let all = (measured ?? []) + (overBudget ?? [])
        // Without references there is no metric to show.
        let hasMetric = all.isEmpty || all.contains { $0.metric != nil }
        var table = MarkdownTable(
            ["plan", "bytes", "compression", "KL"] + (hasMetric ? [metricName] : []))
        let fitting = (measured ?? []).map { ($0, $0.origin == origin ? " (written)" : "") }
        for (plan, remark) in fitting + (overBudget ?? []).map({ ($0, " (over the budget)") }) {
            table.add(
                [
                    plan.origin.description + remark, grouped(plan.bytes),
                    compressionText(plan.bytes, of: fullPrecisionBytes), klText(plan.klNats),
                ] + (hasMetric ? [plan.metric.map { metricText($0, of: metricName) } ?? ""] : []))
        }
        return table.text
    }

    /// The rounds of planning in context: what each predicted and what it measured.
    package var roundsTable: String {
        var table = MarkdownTable([
            "round", "sublayers moved", "KL predicted", "KL measured", "difference", "taken",
        ])
        for (index, round) in (rounds ?? []).enumerated() {
            let difference = round.predictedKL == 0 ? 0 : 100 * (round.measuredKL / round.predictedKL - 1)
            table.add([
                "\(index + 1)", "\(round.moves)", klText(round.predictedKL), klText(round.measuredKL),
                fixed(difference, 1) + "%", round.isAccepted ? "yes" : "no",
            ])
        }
        return table.text
    }
}

extension ComparisonTable {
    /// Bytes, compression, the task's metrics and KL of every model.
    package var markdown: String {
        let names = rows.first?.metrics.keys.sorted() ?? []
        let full = rows.first?.bytes ?? 0
        var table = MarkdownTable(["model", "bytes", "compression"] + names + ["KL"])
        for row in rows {
            table.add(
                [row.name, grouped(row.bytes), compressionText(row.bytes, of: full)]
                    + names.map { name in row.metrics[name].map { metricText($0, of: name) } ?? "" }
                    + [row.klNats.map(klText) ?? ""])
        }
        return table.text
    }
}

/// How many times smaller a model is.
func compressionText(_ bytes: Int, of fullPrecisionBytes: Int) -> String {
    fixed(Double(fullPrecisionBytes) / Double(max(1, bytes)), 2) + "x"
}
