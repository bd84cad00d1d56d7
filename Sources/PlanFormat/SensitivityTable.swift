/// What was measured of a model with some sublayers changed.
public struct LossMeasurement: Codable, Hashable, Sendable {
    /// Mean KL(full precision || changed) per target token, in nats.
    public var klNats: Double
    /// Standard error of `klNats` from the spread between sentences; nil for a single sentence.
    public var standardError: Double?
    /// Mean cross-entropy of the reference per target token, in nats.
    public var crossEntropyNats: Double
    /// Sentences that were measured.
    public var sentences: Int
    /// The task's metric (BLEU, accuracy...), where it was measured.
    public var metric: Double?

    /// A measurement of these values.
    public init(
        klNats: Double, standardError: Double?, crossEntropyNats: Double, sentences: Int,
        metric: Double? = nil
    ) {
        self.klNats = klNats
        self.standardError = standardError
        self.crossEntropyNats = crossEntropyNats
        self.sentences = sentences
        self.metric = metric
    }
}

/// One cell of a sensitivity table: a sublayer, or all of a type, under a scheme, the rest in full precision.
public struct SensitivityCell: Codable, Hashable, Sendable {
    /// The row: a sublayer (`Enc_ee.0`) or a group of them (`Enc_ee`, `Enc`).
    public let row: String
    /// What the sublayers become.
    public let scheme: Scheme
    /// Bytes of the changed matrices.
    public let bytes: Int
    /// What was measured.
    public let measurement: LossMeasurement

    /// A measured cell.
    public init(row: String, scheme: Scheme, bytes: Int, measurement: LossMeasurement) {
        self.row = row
        self.scheme = scheme
        self.bytes = bytes
        self.measurement = measurement
    }
}

/// The loss of every sublayer under every candidate scheme: what a sweep leaves for the planner and for
/// people to read.
public struct SensitivityTable: Codable, Hashable, Sendable {
    /// The version of this format.
    public static let currentSchema = 2

    /// The version that the table was written in.
    public var schemaVersion = SensitivityTable.currentSchema
    /// The weights that were measured.
    public let model: ModelIdentity
    /// Their sublayers.
    public let layout: ModelLayout
    /// Program, data and metric.
    public let provenance: Provenance
    /// How codes were fitted.
    public let fit: CodeFit
    /// What stands for the loss in the cells, as `klNats`, whatever its unit; nil where KL was measured.
    public var proxy: ProxySignal?
    /// The schemes of the columns.
    public let candidates: [Scheme]
    /// The unchanged model.
    public let fullPrecision: LossMeasurement
    /// Each group of sublayers (types and stacks) under the candidates.
    public let byType: [SensitivityCell]
    /// Each sublayer alone under the candidates that were worth measuring, in order of execution; vectors
    /// under FP16 and FP32.
    public let bySublayer: [SensitivityCell]
    /// The work of a mean item of the data; nil where it was not counted.
    public let workload: Workload?

    /// A table of measured cells.
    public init(
        model: ModelIdentity, layout: ModelLayout, provenance: Provenance, fit: CodeFit, candidates: [Scheme],
        fullPrecision: LossMeasurement, byType: [SensitivityCell], bySublayer: [SensitivityCell],
        workload: Workload? = nil
    ) {
        self.workload = workload
        self.model = model
        self.layout = layout
        self.provenance = provenance
        self.fit = fit
        self.candidates = candidates
        self.fullPrecision = fullPrecision
        self.byType = byType
        self.bySublayer = bySublayer
    }

    /// The schemes of a sublayer's cells, in their order: those that were worth measuring.
    public func schemes(of sublayer: SublayerName) -> [Scheme] {
        bySublayer.filter { $0.row == sublayer.description }.map(\.scheme)
    }

    /// The cell of a sublayer under a scheme.
    public func cell(_ sublayer: SublayerName, _ scheme: Scheme) -> SensitivityCell? {
        bySublayer.first { $0.row == sublayer.description && $0.scheme == scheme }
    }
}

/// Which model a table or a plan is for.
public struct ModelIdentity: Codable, Hashable, Sendable {
    /// `model_type` of the configuration.
    public let type: String
    /// SHA-256 of the weights: names, shapes and FP32 values of all tensors, whatever file they came in.
    public let sha256: String

    /// An identity from its parts.
    public init(type: String, sha256: String) {
        self.type = type
        self.sha256 = sha256
    }
}

/// Where a table or a plan comes from.
public struct Provenance: Codable, Hashable, Sendable {
    /// Program and version.
    public let tool: String
    /// SHA-256 of the data that was measured on.
    public let dataSHA256: String
    /// Sentences of it.
    public let sentences: Int
    /// The task's metric, with its settings; nil where the data have no references, so that none was
    /// measured.
    public let metric: String?
    /// SHA-256 of the text that codes were calibrated on; nil where that was the data.
    public let calibrationSHA256: String?
    /// What KL is measured on; nil for the references, and for models whose KL has no target tokens.
    public let targets: KLTargets?

    /// Provenance from its parts.
    public init(
        tool: String, dataSHA256: String, sentences: Int, metric: String?, calibrationSHA256: String? = nil,
        targets: KLTargets? = nil
    ) {
        self.calibrationSHA256 = calibrationSHA256
        self.targets = targets
        self.tool = tool
        self.dataSHA256 = dataSHA256
        self.sentences = sentences
        self.metric = metric
    }
}
