import PlanFormat

/// Integers on a grid, as most quantizers describe them.
struct IntegerFormat: Hashable {
    let bits: Int
    let group: Scheme.Granularity
    let isSymmetric: Bool
    /// Bits of the inputs, one scale per token; nil where they stay as they are.
    var activationBits: Int?

    /// Columns that share a scale: -1 for a whole row.
    var groupSize: Int {
        if case .group(let columns) = group { return columns }
        return -1
    }

    var description: String {
        let unit =
            switch group {
            case .tensor: "per tensor"
            case .row: "per row"
            case .group(let columns): "groups of \(columns)"
            }
        let inputs = activationBits.map { ", inputs of \(bitsText($0))" } ?? ""
        return "\(bitsText(bits)), \(unit), \(isSymmetric ? "symmetric" : "asymmetric")\(inputs)"
    }
}

/// What a quantizer of integers has.
struct IntegerCapabilities {
    let consumer: Consumer
    let bits: [Int]
    /// Group sizes in ascending order; any where nil.
    let groups: [Int]?
    let hasRows: Bool
    let hasTensors: Bool
    let hasSymmetric: Bool
    let hasAsymmetric: Bool
    let hasActivations: Bool
    let hasEmbeddings: Bool

    /// What becomes of a matrix: integers, or nil for full precision.
    struct Answer {
        let format: IntegerFormat?
        /// Whether it is what the plan says.
        let isExact: Bool
    }

    /// The setting for a matrix.
    ///
    /// - Throws: `ExportError.inexpressible` where there is none and `nearest` does not allow another.
    func answer(_ matrix: PlannedMatrix, nearest: Bool) throws(ExportError) -> Answer {
        if matrix.scheme.isFullPrecision { return Answer(format: nil, isExact: true) }
        if matrix.isEmbedding, !hasEmbeddings {
            guard nearest else { throw refusal(matrix, "it leaves embeddings in full precision") }
            return Answer(format: nil, isExact: false)
        }
        let columns = matrix.shape.columns
        if let format = described(matrix.scheme), has(format, columns: columns) {
            return Answer(format: format, isExact: true)
        }
        guard nearest else { throw refusal(matrix, reason(matrix.scheme, columns: columns)) }
        return Answer(format: nearestFormat(matrix.scheme, columns: columns), isExact: false)
    }

    private func refusal(_ matrix: PlannedMatrix, _ reason: String) -> ExportError {
        .inexpressible(consumer, matrix.scheme, matrix.sublayer, reason)
    }

    /// The schemes that are integers on a grid.
    private func described(_ scheme: Scheme) -> IntegerFormat? {
        scheme.family.grid.map {
            IntegerFormat(
                bits: $0.bits, group: $0.granularity, isSymmetric: $0.isSymmetric,
                activationBits: scheme.family.activations.quantizedBits)
        }
    }

    private func has(_ format: IntegerFormat, columns: Int) -> Bool {
        bits.contains(format.bits) && (format.isSymmetric ? hasSymmetric : hasAsymmetric)
            && (format.activationBits == nil || hasActivations) && has(format.group, columns: columns)
    }

    private func has(_ group: Scheme.Granularity, columns: Int) -> Bool {
        switch group {
        case .tensor: hasTensors
        case .row: hasRows
        // A short last group is nowhere allowed.
        case .group(let size): (groups?.contains(size) ?? true) && columns % size == 0
        }
    }

    /// No fewer bits, no larger groups; full precision where there is nothing of that kind.
    private func nearestFormat(_ scheme: Scheme, columns: Int) -> IntegerFormat? {
        let described = described(scheme)
        guard let bits = bits.filter({ $0 >= scheme.wholeBits }).min(),
            let group = nearestGroup(scheme, described, columns: columns)
        else { return nil }
        let isSymmetric = described?.isSymmetric ?? true
        return IntegerFormat(
            bits: bits, group: group, isSymmetric: isSymmetric ? hasSymmetric : !hasAsymmetric,
            activationBits: hasActivations ? described?.activationBits : nil)
    }

    private func nearestGroup(_ scheme: Scheme, _ described: IntegerFormat?, columns: Int) -> Scheme
        .Granularity?
    {
        let wanted = described?.group ?? scheme.family.columnsPerScale.map { .group($0) } ?? .row
        if has(wanted, columns: columns) { return wanted }
        if case .tensor = wanted, hasRows { return .row }
        let most: Int
        if case .group(let size) = wanted { most = size } else { most = columns }
        // Without a list of its own: powers of two.
        let sizes = groups ?? [8, 16, 32, 64, 128, 256]
        return sizes.filter { $0 <= most && columns % $0 == 0 }.max().map { .group($0) }
            ?? sizes.filter { columns % $0 == 0 }.min().map { .group($0) } ?? (hasRows ? .row : nil)
    }

    private func reason(_ scheme: Scheme, columns: Int) -> String {
        guard let format = described(scheme) else { return "it has integers only" }
        if !bits.contains(format.bits) {
            return "it has \(bits.map(String.init).joined(separator: ", ")) bits"
        }
        if format.isSymmetric ? !hasSymmetric : !hasAsymmetric {
            return "its integers are \(hasSymmetric ? "symmetric" : "asymmetric")"
        }
        if format.activationBits != nil, !hasActivations { return "it quantizes weights only" }
        switch format.group {
        case .tensor: return "it has no scale per tensor"
        case .row: return "it has no scale per row"
        case .group(let size):
            if let groups, !groups.contains(size) {
                return "it has groups of \(groups.map(String.init).joined(separator: ", "))"
            }
            return "rows of \(columns) do not divide into groups of \(size)"
        }
    }
}

func bitsText(_ bits: Int) -> String { bits == 1 ? "1 bit" : "\(bits) bits" }
