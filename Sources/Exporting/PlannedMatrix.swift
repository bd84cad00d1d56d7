import PlanFormat

/// A matrix and what the plan makes of it.
struct PlannedMatrix: Hashable {
    let sublayer: SublayerName
    let shape: MatrixShape
    let scheme: Scheme

    /// The module that the matrix is the weight of, as the checkpoint names it.
    var module: String {
        let suffix = ".weight"
        return shape.tensor.hasSuffix(suffix) ? String(shape.tensor.dropLast(suffix.count)) : shape.tensor
    }

    /// Whether it is looked up by index, not multiplied: words and positions.
    var isEmbedding: Bool {
        [.embedding, .positions, .encoderPositions, .decoderPositions].contains(sublayer.kind)
    }

    static func list(_ plan: Plan, _ layout: ModelLayout) throws(ExportError) -> [PlannedMatrix] {
        let layout = plan.layout(of: layout)
        let schemes: [Scheme]
        do { schemes = try plan.schemes(of: layout) } catch { throw .plan(error) }
        return zip(layout.sublayers, schemes).flatMap { sublayer, scheme in
            sublayer.matrices.map { PlannedMatrix(sublayer: sublayer.name, shape: $0, scheme: scheme) }
        }
    }
}

extension Scheme {
    /// Bits that a weight's code needs in a format of whole bits: 16 and 32 for full precision.
    var wholeBits: Int { Int(codeBits.rounded(.up)) }
}

/// Notes of what was mapped: one line for every pair of scheme and setting, with the sublayers that it
/// befell.
struct MappingNotes {
    private var order: [String] = []
    private var sublayers: [String: [SublayerName]] = [:]

    mutating func add(_ matrix: PlannedMatrix, _ setting: String) {
        let key = "\(matrix.scheme) becomes \(setting)"
        if sublayers[key] == nil { order.append(key) }
        if sublayers[key]?.last != matrix.sublayer { sublayers[key, default: []].append(matrix.sublayer) }
    }

    var lines: [String] {
        order.map { key in
            "\(key): " + (sublayers[key] ?? []).map(\.description).joined(separator: ", ")
        }
    }
}

/// A regular expression that matches `text` and nothing else, from its start to its end.
func anchored(_ text: String) -> String {
    var pattern = "^"
    for character in text {
        if "\\^$.|?*+()[]{}".contains(character) { pattern.append("\\") }
        pattern.append(character)
    }
    return pattern + "$"
}
