import BitplanTensors
import PlanFormat

/// Values to render: tables of any depth with losses from a seeded generator.
enum Examples {
    static let candidates: [Scheme] = [.bcq(1), .bcq(2), .bcq(3), .bcq(4)]

    /// An encoder-decoder of so many layers each; all but the embedding have a matrix for each of `parts`,
    /// with a scheme of its own, or one where there are none.
    static func layout(layers: Int, parts: [String] = []) -> ModelLayout {
        func sublayer(_ kind: SublayerKind, _ depth: Int?, _ rows: Int) -> SublayerShape {
            let name = SublayerName(kind, depth: depth)
            let tensors = depth == nil || parts.isEmpty ? ["\(name)"] : parts.map { "\(name).\($0)" }
            return SublayerShape(
                name: name,
                matrices: tensors.map { MatrixShape(tensor: $0 + ".weight", rows: rows, columns: 64) })
        }
        var sublayers = [sublayer("Emb", nil, 500)]
        for depth in 0..<layers {
            sublayers += [sublayer("Enc_ee", depth, 256), sublayer("Enc_ffn", depth, 512)]
        }
        for depth in 0..<layers {
            sublayers += [
                sublayer("Dec_dd", depth, 256), sublayer("Dec_ed", depth, 256),
                sublayer("Dec_ffn", depth, 512),
            ]
        }
        return ModelLayout(sublayers: sublayers, fixedParameters: 1000).divided(
            into: parts.isEmpty ? .sublayer : .matrix)
    }

    /// A table over that layout: losses fall by about four for every bit.
    static func table(
        layers: Int, parts: [String] = [], candidates: [Scheme] = candidates, metric: String = "BLEU|beam:1",
        seed: UInt64 = 1
    )
        -> SensitivityTable
    {
        var generator = SeededGenerator(seed: seed)
        let layout = layout(layers: layers, parts: parts)
        func cells(_ rows: [(name: String, sublayers: [SublayerShape])]) -> [SensitivityCell] {
            rows.flatMap { row in
                let sensitivity = 0.01 + 0.3 * generator.uniform()
                return candidates.enumerated().map { index, scheme in
                    var kl = sensitivity
                    for _ in 0..<index { kl /= 3.5 + generator.uniform() }
                    return SensitivityCell(
                        row: row.name, scheme: scheme,
                        bytes: row.sublayers.reduce(0) { $0 + $1.sizeInBytes(scheme) },
                        measurement: LossMeasurement(
                            klNats: kl, standardError: kl / 25, crossEntropyNats: 2, sentences: 200,
                            metric: 0.9 - kl))
                }
            }
        }
        return SensitivityTable(
            model: ModelIdentity(type: "marian", sha256: String(repeating: "0", count: 64)), layout: layout,
            provenance: Provenance(tool: "t", dataSHA256: "00", sentences: 200, metric: metric), fit: .greedy,
            candidates: candidates,
            fullPrecision: LossMeasurement(
                klNats: 0, standardError: nil, crossEntropyNats: 1.5, sentences: 200, metric: 0.9),
            byType: cells(
                layout.groups.map { group in (group.name, group.members.map { layout.sublayers[$0] }) }),
            bySublayer: cells(layout.sublayers.map { ($0.name.description, [$0]) }))
    }

    /// A plan of alternating bits.
    static func plan(_ table: SensitivityTable) -> Plan {
        let schemes = table.layout.sublayers.indices.map { Scheme.bcq(2 + $0 % 3) }
        return Plan.naming(schemes, of: table.layout, model: table.model, origin: .inContext, fit: .greedy)
    }

    /// A frontier of points on a curve, with plans above it.
    static func frontier(points count: Int = 500) -> FrontierTable {
        let points = (0..<count).map { index in
            FrontierTable.Point(
                bytes: 400_000 + 3000 * index, klNats: 2.5 / Double(1 + index * index), sublayers: nil)
        }
        func plan(
            _ name: String, _ kind: FrontierTable.PlanPoint.Kind, _ bytes: Int, _ predicted: Double?,
            _ measured: Double?
        ) -> FrontierTable.PlanPoint {
            FrontierTable.PlanPoint(
                origin: PlanOrigin(name), kind: kind, bytes: bytes, predictedKL: predicted,
                measuredKL: measured,
                leastKL: nil)
        }
        return FrontierTable(
            model: ModelIdentity(type: "marian", sha256: "00"),
            provenance: Provenance(tool: "t", dataSHA256: "00", sentences: 3, metric: "BLEU"),
            fullPrecisionBytes: 9_000_000, extent: .complete, points: points,
            knee: points.count > 2 ? 20 : nil,
            plans: [
                plan("uniform bcq1", .uniform, 500_000, 1.5, nil),
                plan("uniform bcq2", .uniform, 900_000, 0.4, 0.3),
                plan("preset chung", .preset, 1_000_000, nil, 0.2),
                plan("sum of losses", .measured, 949_000, nil, 0.05),
                plan("in context", .chosen, 950_000, 0.01, 0.04),
                plan("optimum at 960000", .optimum, 960_000, 0.009, nil),
                plan("lost", .measured, 970_000, nil, nil),
            ], prices: nil)
    }
}
