import BitplanEncoding
import BitplanModels
import BitplanWorkflows
import Foundation
@_exported import PlanFormat

/// A model directory, of any family that bitplan reads: in full precision as people publish it, or packed by
/// `quantize`.
///
/// A full-precision model can be swept, planned, quantized, evaluated and run; a packed one evaluated and
/// run. Every call reads what it needs from the directory, and no weights stay in memory between calls.
public struct Model: Sendable {
    /// The directory, or one of Marian's files of weights in it.
    public let directory: URL
    /// The sublayers with their matrices, and what runs of them when.
    public let layout: ModelLayout
    /// `model_type` of its config.json.
    public let type: String
    /// Whether `quantize` wrote it.
    public let isPacked: Bool

    /// Opens a model directory: configuration, tokenizer and shapes are read and checked, weights are not.
    /// Where a directory has several models in Marian's own format, one of their files is named in its place.
    ///
    /// - Throws: `BitplanError` for what is missing, damaged or not supported.
    public init(at directory: URL) throws(BitplanError) {
        self.directory = directory
        (layout, type, isPacked) = try describingErrors {
            func read<F: ModelFamily>(_ family: F.Type) throws -> (ModelLayout, String, Bool) {
                if try PackedModel<F>.isPacked(directory) {
                    let packed = try PackedModel<F>(directory: directory)
                    return (packed.layout, packed.family.type, true)
                }
                let model = try BitplanModels.Model<F>(directory: directory)
                return (model.layout, model.family.type, false)
            }
            return try read(try Families.family(of: directory))
        }
    }

    /// The weights' identity, which tables and plans name: the same weights have the same in whatever file
    /// they come.
    ///
    /// - Complexity: reads all weights.
    /// - Throws: `BitplanError` where weights cannot be read, or the model is packed.
    public func identity() throws(BitplanError) -> ModelIdentity {
        try withFullPrecision { try $0.identity() }
    }

    /// The plan that a packed model was made by.
    ///
    /// - Throws: `BitplanError` where the model is not packed.
    public func packedPlan() throws(BitplanError) -> Plan {
        try describingErrors {
            func read<F: ModelFamily>(_ family: F.Type) throws -> Plan {
                try PackedModel<F>(directory: directory).plan
            }
            return try read(try Families.family(of: directory))
        }
    }

    /// The plan of a preset: `.chung(ratio: 1)`, `.uniform(.bcq(3))`, `try Preset(named: "sensimix:3+3")`.
    ///
    /// - Parameters:
    ///   - preset: which.
    ///   - fit: how its codes will be fitted; `.calibrated` needs text when the model is quantized.
    /// - Throws: `BitplanError` where the model has not the sublayers for it.
    public func plan(_ preset: Preset, fit: CodeFit = .alternating) throws(BitplanError) -> Plan {
        try describingErrors {
            func make<F: ModelFamily>(_ family: F.Type) throws -> Plan {
                try presetPlan(family, directory, preset, fit: fit)
            }
            return try make(try Families.family(of: directory))
        }
    }

    /// Runs `body` with the opened model in full precision.
    private func withFullPrecision<Value>(
        _ body: (any FullPrecisionModel) throws -> Value
    ) throws(BitplanError) -> Value {
        try describingErrors {
            func open<F: ModelFamily>(_ family: F.Type) throws -> Value {
                try body(try BitplanModels.Model<F>(directory: directory))
            }
            return try open(try Families.family(of: directory))
        }
    }
}

/// What the facade asks of an opened model whatever its family.
private protocol FullPrecisionModel {
    func identity() throws -> ModelIdentity
}

extension BitplanModels.Model: FullPrecisionModel {}
