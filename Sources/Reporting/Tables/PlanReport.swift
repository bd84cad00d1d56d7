import PlanFormat

extension Plan {
    /// The bits of every sublayer: a row per kind and a column per depth.
    ///
    /// - Parameter listsMatrices: whether matrices with schemes of their own have rows; else their sublayer
    ///   has the scheme that they share, or their bits per weight.
    /// - Throws: `PlanError` where the plan does not fit the layout.
    package func bitsTable(
        of layout: ModelLayout, listsMatrices: Bool = true
    ) throws(PlanError) -> MarkdownTable {
        let schemes = try schemes(of: layout)
        let units =
            listsMatrices ? layout.sublayers.indices.map { (layout.sublayers[$0].name, [$0]) } : layout.wholes
        var rows: [String] = []
        for row in units.map(\.0.row) where !rows.contains(row) { rows.append(row) }
        let depths = (layout.sublayers.compactMap(\.name.depth).max() ?? 0) + 1
        var table = MarkdownTable(["sublayer"] + (0..<depths).map(String.init))
        for row in rows {
            var cells = [String](repeating: "", count: depths)
            for (name, members) in units where name.row == row {
                cells[name.depth ?? 0] =
                    sharedScheme(of: members, schemes)?.description
                    ?? "\(fixed(layout.extent(of: members, schemes).bits, 2)) bits"
            }
            table.add([row] + cells)
        }
        return table
    }

    /// The plans that were measured before this one was written, on the data that it was planned on, with 95%
    /// intervals; without the metric's columns where the data have no references.
    package func measuredTable(metricName: String, fullPrecisionBytes: Int) -> MarkdownTable {
        let plans = (measured ?? []) + (overBudget ?? [])
        let baseline = plans.lazy.compactMap(\.against).first?.name
        let hasMetric = plans.contains { $0.metric != nil }
        var head = ["plan", "bytes", "compression", "KL"]
        if hasMetric { head.append(metricName) }
        if let baseline {
            head.append("KL against \(baseline)")
            if hasMetric { head.append("\(metricName) against \(baseline)") }
        }
        var table = MarkdownTable(head)
        let fitting = (measured ?? []).map { plan in
            (plan, plan.origin == origin ? " (written)" : plan.setAside == nil ? "" : " (set aside)")
        }
        for (plan, remark) in fitting + (overBudget ?? []).map({ ($0, " (over the budget)") }) {
            var cells = [
                plan.origin.description + remark, grouped(plan.bytes),
                compressionText(plan.bytes, of: fullPrecisionBytes),
                klText(plan.klNats) + intervalText(plan.klInterval, klText),
            ]
            if hasMetric {
                cells.append(
                    plan.metric.map {
                        metricText($0, of: metricName)
                            + intervalText(plan.metricInterval) { metricText($0, of: metricName) }
                    } ?? "")
            }
            if baseline != nil {
                cells.append(plan.against?.klNats.map(klDifferenceText) ?? "")
                if hasMetric {
                    cells.append(
                        plan.against?.metric.map { metricDifferenceText($0, of: metricName) } ?? "")
                }
            }
            table.add(cells)
        }
        return table
    }

    /// The rounds of planning in context: what each predicted and what it measured.
    package var roundsTable: MarkdownTable {
        var table = MarkdownTable([
            "round", "sublayers moved", "KL predicted", "KL measured", "difference", "taken",
        ])
        for (index, round) in (rounds ?? []).enumerated() {
            let difference = round.predictedKL == 0 ? 0 : 100 * (round.measuredKL / round.predictedKL - 1)
            table.add([
                "\(index + 1)", "\(round.moves)",
                klText(round.predictedKL) + intervalText(round.predictedInterval, klText),
                klText(round.measuredKL),
                fixed(difference, 1) + "%", round.isAccepted ? "yes" : "no",
            ])
        }
        return table
    }
}

extension ComparisonTable {
    /// Bytes, compression, the task's metrics and KL of every model.
    package var table: MarkdownTable {
        let names = rows.first?.metrics.keys.sorted() ?? []
        let full = rows.first?.bytes ?? 0
        var table = MarkdownTable(["model", "bytes", "compression"] + names + ["KL"])
        for row in rows {
            table.add(
                [row.name, grouped(row.bytes), compressionText(row.bytes, of: full)]
                    + names.map { name in row.metrics[name].map { metricText($0, of: name) } ?? "" }
                    + [row.klNats.map(klText) ?? ""])
        }
        return table
    }
}

extension SublayerName {
    /// What stands before a row of depths: the kind, or a matrix of it.
    var row: String { kind.rawValue + (part.map { " " + $0 } ?? "") }
}

/// How many times smaller a model is.
func compressionText(_ bytes: Int, of fullPrecisionBytes: Int) -> String {
    fixed(Double(fullPrecisionBytes) / Double(max(1, bytes)), 2) + "x"
}
