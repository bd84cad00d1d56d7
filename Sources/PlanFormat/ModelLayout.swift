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

/// A sublayer and the matrices that change with it.
public struct SublayerShape: Codable, Hashable, Sendable {
    /// Type and depth.
    public let name: SublayerName
    /// What changes with it.
    public let matrices: [MatrixShape]

    /// A sublayer of these matrices.
    public init(name: SublayerName, matrices: [MatrixShape]) {
        self.name = name
        self.matrices = matrices
    }

    /// The number of weights of all its matrices.
    public var count: Int { matrices.reduce(0) { $0 + $1.count } }

    /// Exact bytes of all its matrices under `scheme`.
    public func sizeInBytes(_ scheme: Scheme) -> Int {
        matrices.reduce(0) { $0 + scheme.sizeInBytes(rows: $1.rows, columns: $1.columns) }
    }
}

/// Everything the planner needs to know of a model: its sublayers in order of execution, and what stays FP32.
public struct ModelLayout: Codable, Hashable, Sendable {
    /// In order of execution, the embedding first.
    public let sublayers: [SublayerShape]
    /// Numbers that stay FP32 whatever the plan: biases and LayerNorms.
    public let fixedParameters: Int
    /// What is run of them, and when; nil where it is not said, and then seconds and joules are unknown.
    public let work: ModelWork?

    /// A layout of these sublayers.
    public init(sublayers: [SublayerShape], fixedParameters: Int, work: ModelWork? = nil) {
        self.sublayers = sublayers
        self.fixedParameters = fixedParameters
        self.work = work
    }

    /// Bytes of what stays FP32.
    public var fixedBytes: Int { 4 * fixedParameters }

    /// The number of weights, fixed ones included.
    public var parameterCount: Int { sublayers.reduce(fixedParameters) { $0 + $1.count } }

    /// Bytes of the whole model in FP32, the base of every compression ratio.
    public var fullPrecisionBytes: Int { 4 * parameterCount }
}
