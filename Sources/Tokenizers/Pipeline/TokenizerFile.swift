import Foundation

/// The parts of a tokenizer.json that do not depend on the kind of model.
///
/// `truncation` and `padding` are a caller's matter and are not applied.
struct TokenizerFile {
    /// The kind of model.
    let kind: String
    let model: JSONField
    let vocabulary: Vocabulary
    let addedTokens: [AddedToken]
    let normalizer: Normalizer?
    let preTokenizer: PreTokenizer?
    let template: SpecialTokenTemplate
    let decoder: JSONField?

    /// Reads `file`, whose model has to be of one of `kinds`: the first where the file does not say it.
    init(_ file: URL, kinds: [String]) throws(TokenizerError) {
        let root = try JSONReader.read(file)
        model = try root.required("model")
        let type = try model.optional("type")
        kind = try type?.string() ?? kinds[0]
        if let type, !kinds.contains(kind) { throw type.unexpected(kinds.joined(separator: " or ")) }

        var added: [AddedToken] = []
        for token in try root.optional("added_tokens")?.elements() ?? [] {
            added.append(try AddedToken(token))
        }
        addedTokens = added
        vocabulary = try Vocabulary(
            model.required("vocab"), isList: kind == "Unigram", extra: added.map { ($0.content, $0.id) })

        normalizer = if let field = try root.optional("normalizer") { try Normalizer(field) } else { nil }
        preTokenizer =
            if let field = try root.optional("pre_tokenizer") { try PreTokenizer(field) } else { nil }
        template =
            if let field = try root.optional("post_processor") {
                try SpecialTokenTemplate(field, vocabularySize: vocabulary.count)
            } else {
                .none
            }
        decoder = try root.optional("decoder")
    }
}
