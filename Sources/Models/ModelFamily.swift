import BitplanTensors
import BitplanTokenizers
import Foundation
import PlanFormat

/// One family of models: how a `model_type` is read into a list of sublayers, and what its models are used
/// for.
///
/// A family reads its configuration and tokenizer, and names its tensors in the list. Nothing outside its
/// folder knows more of it.
package protocol ModelFamily: TimedFamily {
    /// The network, over dense or packed weights.
    associatedtype Net: Network

    /// `model_type` in config.json: the family's name.
    static var modelType: String { get }
    /// All that the family reads: other models differ from its own in settings alone.
    static var modelTypes: [String] { get }
    /// What people publish that the family reads, a row for each of `modelTypes`.
    static var published: [PublishedModels] { get }
    /// That of this model.
    var type: String { get }
    /// Files beside config.json that a packed model needs, by name; those that are not there are left out.
    var companionFiles: [String] { get }

    /// Where tensors and config.json count the layers of the one stack that a model has; nil for models of
    /// several stacks, and of layers that are not alike.
    var layerStack: LayerStack? { get }

    /// Reads configuration and tokenizer of a model directory, or of the one that a file of weights lies in;
    /// one-line errors for what is missing or unsupported.
    init(directory: URL) throws

    /// The family for other languages than its directory names, where its models translate between several.
    ///
    /// - Throws: `DataError` where they do not, `TokenizerError` for a language that they do not know.
    func choosing(_ languages: TranslationLanguages) throws -> Self

    /// What was chosen, as packed models keep it: settings of tokenizer_config.json.
    var chosenSettings: [String: String] { get }

    /// The network without weights: sublayers, their shapes, and what an item's tokens are.
    var outline: Net { get }

    /// What the model is used for.
    var task: any Task<Net> { get }

    /// Other names under which a checkpoint may store a tensor, most usual first.
    func aliases(of tensor: String) -> [String]
}

extension ModelFamily {
    /// Reads a model directory, for other languages where some are named; errors as `init(directory:)` and
    /// `choosing`.
    package init(directory: URL, _ languages: TranslationLanguages?) throws {
        let family = try Self(directory: directory)
        self = try languages.map { try family.choosing($0) } ?? family
    }

    /// No languages to choose.
    package func choosing(_ languages: TranslationLanguages) throws -> Self {
        throw DataError.languages(modelType: Self.modelType)
    }

    /// Nothing to choose.
    package var chosenSettings: [String: String] { [:] }

    /// No other.
    package static var modelTypes: [String] { [modelType] }

    /// The family's.
    package var type: String { Self.modelType }

    /// Sublayers and their matrices.
    package var layout: ModelLayout { outline.layout }

    /// Names and lengths of what is not a matrix.
    package var vectors: [(name: String, count: Int)] { outline.sublayers.vectors }

    /// A network over these weights; `MissingWeight` where one is not there.
    package func network(_ weights: WeightTable) throws -> Net { try outline.over(weights) }

    /// No other names.
    package func aliases(of tensor: String) -> [String] { [] }

    /// Not one stack, or none that layers can be dropped from.
    package var layerStack: LayerStack? { nil }
}

/// How a family of one stack counts its layers.
package struct LayerStack: Sendable {
    /// What stands before a layer's number in the names of its tensors: `model.layers.`.
    package let prefix: String
    /// The key of the number of layers in config.json.
    package let countKey: String
    /// Keys of lists that have an entry for every layer.
    package var listKeys: [String] = []

    /// The settings of a model that has some of the layers alone.
    package func keeping(_ layers: [Int], _ settings: [String: Any]) -> [String: Any] {
        var settings = settings
        settings[countKey] = layers.count
        for key in listKeys {
            guard let list = settings[key] as? [Any] else { continue }
            settings[key] = layers.filter(list.indices.contains).map { list[$0] }
        }
        return settings
    }

    /// A tensor's name when layers get other numbers; outside of layers the same.
    package func renamed(_ tensor: String, _ number: (Int) -> Int) -> String {
        guard let start = tensor.range(of: prefix) else { return tensor }
        let digits = tensor[start.upperBound...].prefix { $0 != "." }
        guard let depth = Int(digits) else { return tensor }
        return tensor[..<start.upperBound] + "\(number(depth))" + tensor[digits.endIndex...]
    }
}
