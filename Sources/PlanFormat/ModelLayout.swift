/// A weight matrix as the checkpoint names it.
public struct MatrixShape: Codable, Hashable, Sendable {
    /// The tensor's name in the checkpoint.
    public let tensor: String
    /// Output channels, or tokens of an embedding.
    public let rows: Int
    /// Input channels.
    public let columns: Int

    /// A matrix of (`rows`, `columns`).
    public init(tensor: String, rows: Int, columns: Int) {
        self.tensor = tensor
        self.rows = rows
        self.columns = columns
    }

    /// The number of weights.
    public var count: Int { rows * columns }
}

/// What a plan gives one scheme: the matrices of a sublayer, one of them, or the vectors of a model.
public struct SublayerShape: Codable, Hashable, Sendable {
    /// Kind, depth and, where it is one matrix of several, part.
    public let name: SublayerName
    /// The matrices that change with it.
    public let matrices: [MatrixShape]
    /// Biases and norms that change with it, all together: how many numbers.
    public let vectorCount: Int

    /// A sublayer of these matrices.
    public init(name: SublayerName, matrices: [MatrixShape]) {
        self.name = name
        self.matrices = matrices
        vectorCount = 0
    }

    /// The biases and norms of a model, `count` numbers in all.
    public static func vectors(_ count: Int) -> SublayerShape {
        SublayerShape(name: SublayerName(.vectors), matrices: [], vectorCount: count)
    }

    private init(name: SublayerName, matrices: [MatrixShape], vectorCount: Int) {
        self.name = name
        self.matrices = matrices
        self.vectorCount = vectorCount
    }

    private enum CodingKeys: String, CodingKey {
        case name, matrices
        case vectorCount = "vectors"
    }

    /// Reads a shape; without `vectors` it has matrices alone.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(SublayerName.self, forKey: .name)
        matrices = try container.decode([MatrixShape].self, forKey: .matrices)
        vectorCount = try container.decodeIfPresent(Int.self, forKey: .vectorCount) ?? 0
    }

    /// Writes a shape.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(matrices, forKey: .matrices)
        if vectorCount > 0 { try container.encode(vectorCount, forKey: .vectorCount) }
    }

    /// Whether it has vectors and no matrix: then it may be FP16 or FP32, whatever the candidates of matrices
    /// are.
    public var isVectors: Bool { vectorCount > 0 && matrices.isEmpty }

    /// What it may become where matrices may become `candidates`: vectors may be FP16 or FP32, and schemes by
    /// the frequency of tokens are for embeddings of tokens, unless there are no others.
    public func options(_ candidates: [Scheme]) -> [Scheme] {
        if isVectors { return [.full(.fp16), .fp32] }
        guard name.kind != .embedding else { return candidates }
        let others = candidates.filter { !$0.family.usesRowFrequencies }
        return others.isEmpty ? candidates : others
    }

    /// The number of weights of all its matrices and vectors.
    public var count: Int { matrices.reduce(vectorCount) { $0 + $1.count } }

    /// Exact bytes under `scheme`: of all its matrices, and of its vectors, which are FP16 under any scheme
    /// but `fp32`.
    public func sizeInBytes(_ scheme: Scheme) -> Int {
        matrices.reduce(vectorCount * (scheme == .fp32 ? 4 : 2)) {
            $0 + scheme.sizeInBytes(rows: $1.rows, columns: $1.columns)
        }
    }
}

/// Everything the planner needs to know of a model: its sublayers in order of execution, and what every plan
/// has.
public struct ModelLayout: Codable, Hashable, Sendable {
    /// In order of execution, the embedding first; the vectors of the whole model last, where it has any.
    public let sublayers: [SublayerShape]
    /// Numbers that belong to no sublayer.
    public let fixedParameters: Int
    /// Bytes of every plan, whatever its schemes: the header of the file, and what is stored of
    /// `fixedParameters`.
    public let fixedBytes: Int
    /// What is run of them, and when; nil where it is not said, and then seconds and joules are unknown.
    public let work: ModelWork?

    /// A layout of these sublayers; the fixed parameters are FP32 where `fixedBytes` does not say otherwise.
    public init(
        sublayers: [SublayerShape], fixedParameters: Int, fixedBytes: Int? = nil, work: ModelWork? = nil
    ) {
        self.sublayers = sublayers
        self.fixedParameters = fixedParameters
        // A table may be written by hand: what it says is checked after it is read.
        self.fixedBytes = fixedBytes ?? fixedParameters.multipliedReportingOverflow(by: 4).partialValue
        self.work = work
    }

    /// The number of weights, fixed ones included.
    public var parameterCount: Int { sublayers.reduce(fixedParameters) { $0 + $1.count } }

    /// Reads a layout; without `fixedBytes` the fixed parameters are FP32.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            sublayers: try container.decode([SublayerShape].self, forKey: .sublayers),
            fixedParameters: try container.decode(Int.self, forKey: .fixedParameters),
            fixedBytes: try container.decodeIfPresent(Int.self, forKey: .fixedBytes),
            work: try container.decodeIfPresent(ModelWork.self, forKey: .work))
    }

    /// Bytes of the whole model in FP32, the base of every compression ratio.
    public var fullPrecisionBytes: Int { 4 * parameterCount }
}
