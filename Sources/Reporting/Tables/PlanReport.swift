import PlanFormat

extension Plan {
    /// The bits of every sublayer: a row per type, a column per depth.
    public func bitsTable(of layout: ModelLayout) throws(PlanError) -> String {
        let schemes = try schemes(of: layout)
        var types: [String] = []
        for type in layout.sublayers.map(\.name.type) where !types.contains(type) { types.append(type) }
        let depths = (layout.sublayers.compactMap(\.name.depth).max() ?? 0) + 1
        var table = MarkdownTable(["sublayer"] + (0..<depths).map(String.init))
        for type in types {
            var cells = [String](repeating: "", count: depths)
            for (sublayer, scheme) in zip(layout.sublayers, schemes) where sublayer.name.type == type {
                cells[sublayer.name.depth ?? 0] = scheme.description
            }
            table.add([type] + cells)
        }
        return table.text
    }

    /// The plans that were measured before this one was written, on the data that it was planned on.
    public func measuredTable(metricName: String, fullPrecisionBytes: Int) -> String {
        var table = MarkdownTable(["plan", "bytes", "compression", "KL", metricName])
        for plan in measured ?? [] {
            table.add([
                plan.name == name ? plan.name + " (written)" : plan.name, grouped(plan.bytes),
                fixed(Double(fullPrecisionBytes) / Double(plan.bytes), 2) + "x", fixed(plan.klNats, 4),
                plan.metric.map { fixed($0, 2) } ?? "",
            ])
        }
        return table.text
    }
}

/// One row of the final comparison.
public struct ComparisonRow: Sendable {
    /// The model's name.
    public let name: String
    /// Bytes of all tensors.
    public let bytes: Int
    /// Mean KL per prediction, in nats.
    public let klNats: Double?
    /// The task's metrics, by name.
    public let metrics: [(name: String, value: Double)]

    /// A row of these values.
    public init(name: String, bytes: Int, klNats: Double?, metrics: [(name: String, value: Double)]) {
        self.name = name
        self.bytes = bytes
        self.klNats = klNats
        self.metrics = metrics
    }
}

/// The final table: bytes, compression, the task's metrics and KL of every model.
public func comparisonTable(_ rows: [ComparisonRow], fullPrecisionBytes: Int) -> String {
    let names = rows.first?.metrics.map(\.name) ?? []
    var table = MarkdownTable(["model", "bytes", "compression"] + names + ["KL"])
    for row in rows {
        table.add(
            [row.name, grouped(row.bytes), fixed(Double(fullPrecisionBytes) / Double(row.bytes), 2) + "x"]
                + names.map { name in row.metrics.first { $0.name == name }.map { fixed($0.value, 2) } ?? "" }
                + [row.klNats.map { fixed($0, 4) } ?? ""])
    }
    return table.text
}
