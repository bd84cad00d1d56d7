import PlanFormat

extension SensitivityTable {
    /// The tables by type and by sublayer as Markdown: the metric and KL under every candidate, the mean loss beside them.
    public var markdown: String {
        var text = "Full precision: "
        if let metric = fullPrecision.metric { text += "\(metricName) \(fixed(metric, 2)), " }
        text += "cross-entropy \(fixed(fullPrecision.crossEntropyNats, 4)) nats per token, "
        text += "\(fullPrecision.sentences) sentences. Codes: \(fit.rawValue).\n\n"
        if hasMetrics {
            text += "### \(metricName) by type, the rest in full precision\n\n" + metricTable(byType) + "\n"
        }
        text += "### KL(full precision || quantized) by type, nats per token\n\n" + klTable(byType) + "\n"
        if hasMetrics {
            text += "### \(metricName) by sublayer\n\n" + metricTable(bySublayer) + "\n"
        }
        text += "### KL by sublayer, nats per token (x 1000), with its standard error\n\n"
        text += klTable(bySublayer, scale: 1000, withErrors: true)
        return text
    }

    /// The metric's name as its signature says it, `BLEU` of `BLEU|beam:1|...`.
    public var metricName: String {
        provenance.metric.split(separator: "|").first.map(String.init) ?? "metric"
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
            table.add([row.name] + values.map { fixed($0, 2) } + [fixed(degradation, 2)])
        }
        return table.text
    }

    private func klTable(_ cells: [SensitivityCell], scale: Double = 1, withErrors: Bool = false) -> String {
        let schemes = Array(candidates.reversed())
        var table = MarkdownTable(["layer"] + schemes.map(\.description) + ["bytes at \(candidates[0])"])
        for row in rows(cells) {
            let values = row.cells.reversed().map { cell in
                let error =
                    withErrors
                    ? cell.measurement.standardError.map { " ± " + significant(scale * $0, 2) } : nil
                return significant(scale * cell.measurement.klNats, 3) + (error ?? "")
            }
            table.add([row.name] + values + [grouped(row.cells.first?.bytes ?? 0)])
        }
        return table.text
    }
}
