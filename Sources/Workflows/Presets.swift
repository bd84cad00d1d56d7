import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// A plan by name: `chung` (with Algorithm 1's r as `chung:4`, `chung:8`), `sensimix:3+3` (lower and upper layers; those between
/// keep FP16), or one scheme for all sublayers.
///
/// - Throws: `UsageError` where nothing is called so or the model has not the sublayers for it.
package func presetPlan<Family: ModelFamily>(
    _ family: Family.Type, _ directory: URL, _ name: String, fit: CodeFit
) throws -> Plan {
    let model = try Model<Family>(directory: directory)
    let schemes = try presetSchemes(model.layout, name, modelType: Family.modelType)
    return Plan.naming(
        schemes, of: model.layout, model: try model.identity(), name: "preset \(name)", fit: fit)
}

/// The schemes of a plan by name, in order of the layout; names and errors as `presetPlan`.
package func presetSchemes(_ layout: ModelLayout, _ name: String, modelType: String) throws -> [Scheme] {
    if let scheme = Scheme(name) {
        return [Scheme](repeating: scheme, count: layout.sublayers.count)
    } else if name == "chung" || name.hasPrefix("chung:") {
        let text = name.dropFirst("chung:".count)
        guard let ratio = name == "chung" ? 1 : Int(text), (1...64).contains(ratio) else {
            throw UsageError("preset '\(name)': expected chung:R with R from 1 to 64")
        }
        guard let chung = layout.chung(ratio: ratio) else {
            throw UsageError("preset chung is for encoder-decoder models, this is a \(modelType)")
        }
        return chung
    } else if name.hasPrefix("sensimix:") {
        let counts = name.dropFirst("sensimix:".count).split(separator: "+", omittingEmptySubsequences: false)
            .map { Int($0) }
        guard counts.count == 2, let lower = counts[0], let upper = counts[1] else {
            throw UsageError("preset '\(name)': expected sensimix:LOWER+UPPER, such as sensimix:3+3")
        }
        guard let sensimix = layout.sensimix(lower: lower, upper: upper) else {
            throw UsageError(
                "preset \(name): expected two counts within the model's layers of attention and feed-forward, this \(modelType) has \(layout.sublayers.count { $0.name.kind == "FFN" })"
            )
        }
        return sensimix
    }
    throw UsageError("no preset or scheme is called '\(name)'")
}

/// Writes text to a file, all of it or nothing.
package func writeText(_ text: String, to file: URL) throws { try AtomicWrite.file(text, to: file) }
