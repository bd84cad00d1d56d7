import PlanFormat

extension SensitivityTable {
    /// The tables by type and by sublayer as Markdown: the metric and KL under every candidate, the mean loss
    /// beside them; where single matrices were measured, theirs too.
    package var markdown: String { markdown(listsMatrices: true) }

    /// The tables as Markdown, with or without those of single matrices.
    func markdown(listsMatrices: Bool) -> String {
        var text = introduction + "\n\n"
        for section in tables where listsMatrices || !section.isOfMatrices {
            text += "### \(section.title)\n\n"
            if !section.note.isEmpty { text += section.note + "\n\n" }
            text += section.table.text + "\n"
        }
        return String(text.dropLast())
    }

    /// What was measured in full precision, and on how much data: one paragraph or two.
    var introduction: String {
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
        text += "\(fullPrecision.sentences) items. Codes: \(fit.rawValue)."
        text += vectorsText
        let isRotated = Set(candidates) == Set(Scheme.automatic + Scheme.automaticRotated)
        if isRotated || Set(candidates) == Set(Scheme.automatic) {
            text += " Candidates: those of `--schemes auto`, which lose least at their bytes or run fastest"
            text += isRotated ? "; a rotation (`:h`) too, for these weights have outliers." : "."
        }
        let counts = bySublayer.map(\.measurement.sentences)
        if let least = counts.min(), least < counts.max() ?? 0, proxy == nil {
            text += "\n\nCells were measured on as many items as their decision needs: \(least) to "
            text += "\(counts.max() ?? 0), \(counts.reduce(0, +) / counts.count) on average."
        }
        return text
    }

    /// A table with what stands over it.
    struct Section {
        let title: String
        var note = ""
        let table: MarkdownTable
        /// Whether its rows are single matrices.
        var isOfMatrices = false
    }

    /// The tables by type, by sublayer and, where single matrices were measured, by matrix, in the order in
    /// which they are shown.
    var tables: [Section] {
        var tables: [Section] = []
        if hasMetrics, !byType.isEmpty {
            let title = "\(metricName) by type, the rest in full precision"
            tables.append(Section(title: title, note: metricNote, table: metricTable(byType)))
        }
        if !byType.isEmpty {
            tables.append(Section(title: "\(heading) by type, \(unit)", table: klTable(byType)))
        }
        let isOfMatrices = layout.unit == .matrix
        if isOfMatrices {
            let title = "\(heading) by sublayer, \(unit)\(hasNats ? " (x 1000)" : "")"
            tables.append(Section(title: title, note: Self.sumsNote, table: sumsTable))
        }
        let row = layout.unit.rawValue
        if hasMetrics {
            tables.append(
                Section(
                    title: "\(metricName) by \(row)", note: metricNote, table: metricTable(bySublayer),
                    isOfMatrices: isOfMatrices))
        }
        tables.append(
            proxy != nil
                ? Section(
                    title: "\(heading) by \(row), \(unit)", table: klTable(bySublayer),
                    isOfMatrices: isOfMatrices)
                : Section(
                    title: "KL by \(row), nats per prediction (x 1000)", note: intervalNote,
                    table: intervalTable, isOfMatrices: isOfMatrices))
        return tables
    }

    /// How `intervalTable` is read.
    private var intervalNote: String {
        "Behind ± half a 95% interval. `~` marks a cell whose interval overlaps that of the next cheaper candidate, so that the two "
            + "cannot be told apart. Ranks are by KL under \(candidates[common]), 1 the most sensitive: a range where intervals overlap."
    }

    /// The cells of the sublayers by row and scheme.
    var cellsByRow: [String: [Scheme: SensitivityCell]] {
        bySublayer.reduce(into: [:]) { $0[$1.row, default: [:]][$1.scheme] = $1 }
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

    /// The metric's name as its signature says it.
    package var metricName: String { PlanFormat.metricName(provenance.metric) }

    /// Whether the cells were measured by the metric too, and not by KL alone.
    private var hasMetrics: Bool { bySublayer.contains { $0.measurement.metric != nil } }

    /// A row of a table: its cells in order of the candidates, nil where one was not worth measuring.
    private typealias Row = (name: String, cells: [SensitivityCell?])

    /// The rows of what has matrices.
    private func rows(_ cells: [SensitivityCell]) -> [Row] {
        var names: [String] = []
        for cell in cells where !names.contains(cell.row) && cell.row != SublayerKind.vectors.rawValue {
            names.append(cell.row)
        }
        return names.map { name in
            (name, candidates.map { scheme in cells.first { $0.row == name && $0.scheme == scheme } })
        }
    }

    /// The first of the candidates that most rows have: what sublayers are compared under.
    private var common: Int {
        let rows = rows(bySublayer)
        let counts = candidates.indices.map { place in rows.count { $0.cells[place] != nil } }
        return counts.firstIndex(of: counts.max() ?? 0) ?? 0
    }

    /// What the vectors of the model lose as FP16.
    private var vectorsText: String {
        let half = cell(SublayerName(.vectors), .full(.fp16))
        guard let half, let vectors = layout.sublayers.first(where: \.isVectors) else { return "" }
        let loss = proxy == nil ? ": KL \(klText(half.measurement.klNats))" : ", not measured"
        return
            "\n\nBiases and norms, \(grouped(vectors.vectorCount)) numbers, as FP16 (\(grouped(half.bytes)) bytes)"
            + loss + "."
    }

    /// Says so where not all cells have the metric.
    private var metricNote: String {
        hasAllMetrics(byType) && hasAllMetrics(bySublayer) ? "" : "Measured in the cells of largest KL alone."
    }

    private func hasAllMetrics(_ cells: [SensitivityCell]) -> Bool {
        rows(cells).flatMap(\.cells).allSatisfy { $0.map { $0.measurement.metric != nil } ?? true }
    }

    /// Chung's layout: the metric under each scheme and, where all cells have it, the mean of what was lost.
    private func metricTable(_ cells: [SensitivityCell]) -> MarkdownTable {
        let isWhole = hasAllMetrics(cells)
        let schemes = candidates.reversed().filter { scheme in
            isWhole || cells.contains { $0.scheme == scheme && $0.measurement.metric != nil }
        }
        var table = MarkdownTable(["layer"] + schemes.map(\.description) + (isWhole ? ["Avg.Deg"] : []))
        let full = fullPrecision.metric ?? 0
        for row in rows(cells) {
            let values = schemes.map { scheme in
                row.cells.compactMap(\.self).first { $0.scheme == scheme }?.measurement.metric
            }
            let known = values.compactMap(\.self)
            guard !known.isEmpty else { continue }
            let degradation = known.reduce(0) { $0 + $1 - full } / Double(known.count)
            let text = { metricText($0, of: metricName) }
            table.add([row.name] + values.map { $0.map(text) ?? "" } + (isWhole ? [text(degradation)] : []))
        }
        return table
    }

    private func klTable(_ cells: [SensitivityCell]) -> MarkdownTable {
        let schemes = Array(candidates.reversed())
        let common = common
        var table = MarkdownTable(["layer"] + schemes.map(\.description) + ["bytes at \(candidates[common])"])
        for row in rows(cells) {
            let values = row.cells.reversed().map { $0.map { klText($0.measurement.klNats) } ?? "" }
            table.add([row.name] + values + [row.cells[common].map { grouped($0.bytes) } ?? ""])
        }
        return table
    }

    /// KL of every sublayer with its interval, marked where the noise decides.
    private var intervalTable: MarkdownTable {
        let schemes = Array(candidates.reversed())
        let common = common
        var table = MarkdownTable(
            ["layer"] + schemes.map(\.description) + ["rank", "bytes at \(candidates[common])"])
        let compared = rows(bySublayer).compactMap { $0.cells[common] }
        for row in rows(bySublayer) {
            let byBytes = row.cells.compactMap(\.self).enumerated().sorted {
                ($0.element.bytes, $0.offset) < ($1.element.bytes, $1.offset)
            }
            .map(\.element)
            let values = row.cells.reversed().map { cell -> String in
                guard let cell else { return "" }
                let cheaper = byBytes.last { $0.bytes < cell.bytes }
                let isOpen = cheaper.map { $0.measurement.overlaps(cell.measurement) } ?? false
                return lossText(cell) + (isOpen ? " ~" : "")
            }
            let cell = row.cells[common]
            let rank = cell.map { rankText($0, among: compared) } ?? ""
            table.add([row.name] + values + [rank, cell.map { grouped($0.bytes) } ?? ""])
        }
        return table
    }

    /// KL of a cell in thousandths of a nat with half its 95% interval, where that is known; other losses as
    /// they are.
    func lossText(_ cell: SensitivityCell) -> String {
        guard hasNats else { return klText(cell.measurement.klNats) }
        let reach = cell.measurement.intervalReach.map { " ± " + significant(1000 * $0, 2) }
        return klText(1000 * cell.measurement.klNats) + (reach ?? "")
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
