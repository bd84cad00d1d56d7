import BitplanTensors
import Foundation
import PlanFormat

/// A shape of a family's models without weights: what the time outside of products is measured on.
package struct Specimen: Sendable {
    /// `model_type` of the family.
    package let modelType: String
    /// Sublayers and their work.
    package let layout: ModelLayout
    /// Names and lengths of what is not a matrix.
    package let vectors: [(name: String, count: Int)]
    private let make: @Sendable (WeightTable) throws -> any Network

    /// The shape of the networks that `outline` is one of.
    init(_ modelType: String, _ outline: some Network) {
        self.modelType = modelType
        layout = outline.layout
        vectors = outline.sublayers.vectors
        make = { try outline.over($0) }
    }

    /// A network over these weights, which must be all that the layout and `vectors` name.
    package func network(_ weights: WeightTable) throws -> any Network { try make(weights) }

    /// Settings as a config.json would have them.
    static func settings(_ modelType: String, _ values: [String: Any]) -> Settings {
        Settings(
            file: URL(filePath: "\(modelType) specimen"),
            object: values.merging(["model_type": modelType]) { first, _ in first })
    }

    /// Token ids that look like text: spread over the vocabulary.
    static func tokens(_ count: Int, vocabularySize: Int) -> [Int] {
        (0..<count).map { (7919 * $0 + 13) % vocabularySize }
    }
}
