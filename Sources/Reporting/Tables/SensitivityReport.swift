import PlanFormat

extension SensitivityTable {
    /// The tables by type and by sublayer as Markdown: the metric and KL under every candidate, the mean loss
    /// beside them.
    package var markdown: String {
        var text = "Full precision: "
        if let metric = fullPrecision.metric {
            text += "\(metricName) \(metricText(metric, of: metricName)), "
        }
        if provenance.metric == nil {
            text += "no metric was measured, for the data have no references; "
        }
        // A sentence encoder has no right answers, and so no cross-entropy.
        if fullPrecision.crossEntropyNats != 0 {
            text += "cross-entropy \(fixed(fullPrecision.crossEntropyNats, 4)) nats per prediction, "
        }
        text += "\(fullPrecision.sentences) items. Codes: \(fit.rawValue).\n\n"
        let counts = bySublayer.map(\.measurement.sentences)
        if let least = counts.min(), least < counts.max() ?? 0, proxy == nil {
            text += "Cells were measured on as many items as their decision needs: \(least) to "
            text += "\(counts.max() ?? 0), \(counts.reduce(0, +) / counts.count) on average.\n\n"
        }
        if hasMetrics, !byType.isEmpty {
            text += "### \(metricName) by type, the rest in full precision\n\n" + metricTable(byType) + "\n"
        }
        if !byType.isEmpty {
            text += "### \(heading) by type, \(unit)\n\n" + klTable(byType) + "\n"
        }
        if hasMetrics {
            text += "### \(metricName) by sublayer\n\n" + metricTable(bySublayer) + "\n"
        }
        if proxy != nil {
            return text + "### \(heading) by sublayer, \(unit)\n\n" + klTable(bySublayer)
        }
        text += "### KL by sublayer, nats per prediction (x 1000)\n\n"
        text +=
            "Behind ± half a 95% interval. `~` marks a cell whose interval overlaps that of the next cheaper candidate, so that the two "
            + "cannot be told apart. Ranks are by KL under \(candidates[0]), 1 the most sensitive: a range where intervals overlap.\n\n"
        return text + intervalTable
    }

    /// What the cells carry.
    private var heading: String {
        switch proxy {
        case nil: "KL(full precision || quantized)"
        case .weight: "Squared weight error"
        case .output: "Output error"
        case .fisher: "Estimated KL (Fisher)"
        }
    }

    private var unit: String {
        switch proxy {
        case nil: "nats per prediction"
        case .weight: "summed over the weights, not measured"
        case .output: "squared, per input, not measured"
        case .fisher: "nats per prediction, not measured"
        }
    }

    /// The metric's name as its signature says it, `BLEU` of `BLEU|beam:1|...`.
    package var metricName: String {
        provenance.metric?.split(separator: "|").first.map(String.init) ?? "metric"
    }

    /// Whether the cells were measured by the metric too, and not by KL alone.
    private var hasMetrics: Bool { bySublayer.contains { $0.measurement.metric != nil } }

    private func rows(_ cells: [SensitivityCell]) -> [(name: String, cells: [SensitivityCell])] {
        var names: [String] = []
        for cell in cells where !names.contains(cell.row) { names.append(cell.row) }
        return names.map { name in
            (name, candidates.compactMap { scheme in cells.first { $0.row == name && $0.scheme == scheme } })
        }
    }

    /// Chung's layout: the metric under each scheme, and the mean of what was lost.
    private func metricTable(_ cells: [SensitivityCell]) -> String {
        let schemes = Array(candidates.reversed())
        var table = MarkdownTable(["layer"] + schemes.map(\.description) + ["Avg.Deg"])
        let full = fullPrecision.metric ?? 0
        for row in rows(cells) {
            let values = row.cells.reversed().compactMap(\.measurement.metric)
            guard values.count == schemes.count else { continue }
            let degradation = values.reduce(0) { $0 + $1 - full } / Double(values.count)
            let text = { metricText($0, of: metricName) }
            table.add([row.name] + values.map(text) + [text(degradation)])
        }
        return table.text
    }

    private func klTable(_ cells: [SensitivityCell]) -> String {
        let schemes = Array(candidates.reversed())
        var table = MarkdownTable(["layer"] + schemes.map(\.description) + ["bytes at \(candidates[0])"])
        for row in rows(cells) {
            let values = row.cells.reversed().map { klText($0.measurement.klNats) }
            table.add([row.name] + values + [grouped(row.cells.first?.bytes ?? 0)])
        }
        return table.text
    }

    /// KL of every sublayer with its interval, marked where the noise decides.
    private var intervalTable: String {
        let schemes = Array(candidates.reversed())
        var table = MarkdownTable(
            ["layer"] + schemes.map(\.description) + ["rank", "bytes at \(candidates[0])"])
        let first = rows(bySublayer).compactMap(\.cells.first)
        for row in rows(bySublayer) {
            let byBytes = row.cells.enumerated().sorted {
                ($0.element.bytes, $0.offset) < ($1.element.bytes, $1.offset)
            }
            .map(\.element)
            let values = row.cells.reversed().map { cell in
                let cheaper = byBytes.last { $0.bytes < cell.bytes }
                let isOpen = cheaper.map { $0.measurement.overlaps(cell.measurement) } ?? false
                let reach = cell.measurement.intervalReach.map { " ± " + significant(1000 * $0, 2) }
                return klText(1000 * cell.measurement.klNats) + (reach ?? "") + (isOpen ? " ~" : "")
            }
            let rank = row.cells.first.map { rankText($0, among: first) } ?? ""
            table.add([row.name] + values + [rank, grouped(row.cells.first?.bytes ?? 0)])
        }
        return table.text
    }

    /// The places that a cell can have among others, given their intervals: `3`, or `3-7`.
    private func rankText(_ cell: SensitivityCell, among cells: [SensitivityCell]) -> String {
        let apart = cells.filter { !$0.measurement.overlaps(cell.measurement) }
        let best = 1 + apart.count { $0.measurement.klNats > cell.measurement.klNats }
        let worst = cells.count - apart.count { $0.measurement.klNats < cell.measurement.klNats }
        // Cells without an error are equal only to themselves.
        return best >= worst ? "\(best)" : "\(best)-\(worst)"
    }
}
