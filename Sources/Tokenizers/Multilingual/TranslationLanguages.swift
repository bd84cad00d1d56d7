/// The languages that a multilingual model is to translate between, by its own codes.
package struct TranslationLanguages: Sendable, Codable, Hashable {
    /// The language of sources; the model's own where nil.
    package var source: String?
    /// The language of targets; the model's own where nil.
    package var target: String?

    /// Languages by their codes.
    package init(source: String? = nil, target: String? = nil) {
        self.source = source
        self.target = target
    }

    /// Languages of which at least one is chosen; nil where neither is.
    package init?(chosenSource source: String?, target: String?) {
        guard source != nil || target != nil else { return nil }
        self.init(source: source, target: target)
    }
}
