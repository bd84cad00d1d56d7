import BitplanMetrics
import BitplanTensors
import Foundation
import PlanFormat

/// What an evaluator says of itself: the model, what can become of it, and the data that it is measured on.
package struct EvaluatorDescription: Codable, Hashable, Sendable {
    /// The model; `sha256` is of whatever makes it another model.
    package let model: ModelIdentity
    /// SHA-256 of whatever else changes what is measured: the evaluator's own version, settings, the text
    /// that codes are fitted to.
    package let configuration: String
    /// The sublayers with their matrices, as sensitivity tables have them.
    package let layout: ModelLayout
    /// The data.
    package let data: Data
    /// The schemes that it measures; every scheme where nil.
    package let candidates: [Scheme]?
    /// How it fits codes; greedy where nil.
    package let fit: CodeFit?
    /// Whether it fits the codes of a whole plan behind each other, so that a sublayer's loss depends on the
    /// whole plan.
    package let encodesInOrder: Bool?
    /// How many assignments it is best asked for at a time; 1 where nil.
    package let batch: Int?
    /// The work of a mean item, which seconds and joules of plans follow from.
    package let workload: Workload?

    /// The data that an evaluator measures on.
    package struct Data: Codable, Hashable, Sendable {
        /// SHA-256 of the data, and of how much of them is read.
        package let sha256: String
        /// How many predictions every item has: what its KL is summed over.
        package let predictions: [Int]
        /// How many of them have a right answer: what its cross-entropy is summed over; none where nil.
        package let targets: [Int]?
        /// The task's metric; nil where none is measured.
        package let metric: EvaluatorMetric.Kind?
    }

    /// How codes are fitted.
    package var codeFit: CodeFit { fit ?? .greedy }

    /// Most assignments of a request, as far as an evaluator may say.
    static let largestBatch = 4096

    /// Checks what the types do not say.
    ///
    /// - Throws: `EvaluatorFailure` that names what is impossible.
    func check() throws(EvaluatorFailure) {
        func refuse(_ text: String) throws(EvaluatorFailure) {
            throw EvaluatorFailure("its description \(text)")
        }
        let isHash = { (text: String) in text.count == 64 && text.allSatisfy(\.isHexDigit) }
        if !isHash(model.sha256) { try refuse("names no SHA-256 in 'model.sha256'") }
        if !isHash(configuration) { try refuse("names no SHA-256 in 'configuration'") }
        if !isHash(data.sha256) { try refuse("names no SHA-256 in 'data.sha256'") }
        if data.predictions.isEmpty { try refuse("has no items in 'data.predictions'") }
        if !data.predictions.allSatisfy({ (1...1 << 24).contains($0) }) {
            try refuse("has an item without predictions in 'data.predictions'")
        }
        if let targets = data.targets {
            guard targets.count == data.predictions.count,
                zip(targets, data.predictions).allSatisfy({ (0...$1).contains($0) })
            else { return try refuse("has other 'data.targets' than 0 to its predictions for each item") }
        }
        if let batch, !(1...Self.largestBatch).contains(batch) {
            try refuse("has batch \(batch), expected 1 to \(Self.largestBatch)")
        }
        if candidates?.isEmpty ?? false { try refuse("has no candidates") }
        if let problem = layout.impossibility { try refuse("has an impossible layout: \(problem)") }
        let tensors = layout.sublayers.flatMap(\.matrices).map(\.tensor)
        if tensors.isEmpty { try refuse("has no matrix") }
        if let twice = Dictionary(grouping: tensors, by: \.self).first(where: { $1.count > 1 })?.key {
            try refuse("has two matrices called '\(twice)'")
        }
        let names = layout.sublayers.map(\.name.description)
        if let twice = Dictionary(grouping: names, by: \.self).first(where: { $1.count > 1 })?.key {
            try refuse("has two sublayers called '\(twice)'")
        }
        if let part = layout.sublayers.first(where: { $0.name.part != nil }) {
            try refuse("has '\(part.name)': expected whole sublayers, --unit matrix divides them")
        }
        if let empty = layout.sublayers.first(where: { $0.matrices.isEmpty && !$0.isVectors }) {
            try refuse("has sublayer '\(empty.name)' without matrices")
        }
        if let workload, !workload.isPossible { try refuse("has an impossible 'workload'") }
    }
}
