import BitplanEncoding
import BitplanMeasurements
import BitplanModels
import BitplanTokenizers
import Foundation
import PlanFormat

/// Encodes a model as a plan says and writes the packed directory; of a plan whose fit is `stored` the codes
/// lie in the model's directory and are packed as they are (`StoredCodes`).
///
/// - Parameters:
///   - text: what codes are calibrated on and tokens are counted on; needed where the plan's fit or schemes
///     ask for it.
///   - threads: threads that run the model over `text`.
///   - languages: what the packed model translates between; the model's own languages where nil.
///   - store: where the model's own outputs are kept, on which codes are calibrated where the text has no
///     references.
///   - note: called with a line about what is made of text without references.
/// - Returns: bytes of all tensors, which are the plan's bytes.
/// - Throws: one-line errors; nothing is left behind.
package func quantize<Family: ModelFamily>(
    _ family: Family.Type, model directory: URL, plan: Plan, text: DataSource?, to output: URL,
    threads: Int = 2, languages: TranslationLanguages? = nil, store: MeasurementStore? = nil,
    note: (String) -> Void = { _ in }
) throws -> Int {
    try PackedModel<Family>.checkReplaceable(output)
    var model = try Model<Family>(directory: directory, languages: languages)
    if plan.fit == .stored {
        guard text == nil else { throw UsageError("stored codes are packed as they are: expected no text") }
        let packed = try StoredCodes<Family>(directory: model.directory).packed(model, by: plan)
        try PackedModel.write(model, plan, to: output, packed: packed)
        let layout = plan.layout(of: model.layout)
        return layout.sizeInBytes(try plan.schemes(of: layout))
    }
    let reader = KLDataReader(model, options: TaskOptions(threads: threads), store: store)
    // What training elsewhere has left stands for the model that it began with: its weights may be coded
    // anew.
    if (try? StoredCodes<Family>(directory: model.directory))?.plan.model != plan.model {
        try plan.check(for: try reader.identity())
    }
    let layout = plan.layout(of: model.layout)
    let schemes = try plan.schemes(of: layout)
    let fit = plan.fit ?? .alternating
    guard text != nil || !schemes.contains(where: { $0.needsText(fit) }) else {
        throw MissingText(fit: fit)
    }
    var source = text
    // A plan that was made on the model's own outputs is encoded on them, too.
    if let provenance = plan.provenance, provenance.targets == .own, provenance.calibrationSHA256 == nil {
        source?.targets = .own
    }
    let examples = try source.map { try reader.read($0, note: note).examples } ?? []
    // Only calibrated codes, and own outputs that no store has, need the model to run: else no weights are in
    // memory but those of one matrix.
    if fit.isCalibrated, text != nil { _ = try reader.network() }
    let network = reader.loaded ?? model.family.outline
    if let full = reader.loaded { model = model.reading(from: full) }
    // The encoder looks at the inputs of the sublayers itself, as the quantized model has them.
    let calibration = try Calibration(
        network, examples, fit: text == nil ? .greedy : fit, seesSublayers: false, threads: threads)
    let encodings = Encodings(model, fit: fit) { calibration.context($0) }
    let encoder = PlanEncoder(encodings, network, text: examples, calibration: calibration, threads: threads)
    try PackedModel.write(model, plan, to: output, packed: try encoder.encode(layout.tensorSchemes(schemes)))
    return layout.sizeInBytes(schemes)
}

/// A plan that cannot be encoded without text.
package struct MissingText: Error, CustomStringConvertible {
    /// How its codes are fitted.
    package let fit: CodeFit

    /// One line: what needs text.
    package var description: String {
        "the plan needs text (\(fit.isCalibrated ? "calibrated codes" : "clusters by token frequency"))"
    }
}
