import BitplanKernels
import BitplanModels
import BitplanSensitivity
import Foundation
import PlanFormat

/// Encodes a model as a plan says and writes the packed directory.
///
/// - Parameters:
///   - text: what codes are calibrated on and tokens are counted on; needed where the plan's fit or schemes ask for it.
///   - threads: threads that run the model over `text`.
/// - Returns: bytes of all tensors, which are the plan's bytes.
/// - Throws: one-line errors; nothing is left behind.
package func quantize<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, plan: Plan, text: DataSource?, to output: URL,
    threads: Int = 2
) throws -> Int {
    try PackedModel<Family>.checkReplaceable(output)
    var model = try Model<Family>(directory: directory)
    try plan.check(for: try model.identity())
    let schemes = try plan.schemes(of: model.layout)
    let fit = plan.fit ?? .alternating
    guard text != nil || !schemes.contains(where: { $0.needsText(fit) }) else {
        throw UsageError(
            "the plan needs text (\(fit == .calibrated ? "calibrated codes" : "clusters by token frequency")): give it with --data"
        )
    }
    let examples = try text?.read(model.family).examples ?? []
    // Only calibrated codes need the model to run: else no weights are in memory but those of one matrix.
    let network: Family.Net
    if fit == .calibrated, text != nil {
        network = try model.network()
        model = model.reading(from: network)
    } else {
        network = try model.outline()
    }
    // The encoder looks at the inputs of the sublayers itself, as the quantized model has them.
    let calibration = try Calibration(
        network, examples, fit: text == nil ? .greedy : fit, seesSublayers: false, threads: threads)
    let encodings = Encodings(model, fit: fit) { calibration.context($0) }
    let encoder = PlanEncoder(encodings, network, text: examples, calibration: calibration, threads: threads)
    try PackedModel.write(model, plan, to: output, packed: try encoder.encode(schemes))
    return model.layout.sizeInBytes(schemes)
}

extension Model {
    /// The network without its matrices: it can be asked what its tokens are, but not run.
    fileprivate func outline() throws -> Family.Net {
        var matrices: [String: any LinearOperator] = [:]
        for shape in layout.sublayers.flatMap(\.matrices) {
            matrices[shape.tensor] = Outline(rows: shape.rows, columns: shape.columns)
        }
        return try family.network(WeightTable(matrices: matrices, vectors: try vectors()))
    }
}

/// The place of a matrix.
private struct Outline: LinearOperator {
    let rows: Int
    let columns: Int
    var residentBytes: Int { 0 }

    func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        preconditionFailure("an outline has no weights")
    }

    func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        preconditionFailure("an outline has no weights")
    }
}

/// A command that was called wrongly.
package struct UsageError: Error, CustomStringConvertible {
    /// The line.
    package let description: String

    /// An error with its line.
    package init(_ description: String) { self.description = description }
}
