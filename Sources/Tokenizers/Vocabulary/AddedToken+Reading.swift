import Foundation

extension AddedToken {
    /// Reads an element of a tokenizer.json's `added_tokens`.
    init(_ field: JSONField) throws(TokenizerError) {
        try self.init(field, id: field.required("id").integer())
    }

    private init(_ field: JSONField, id: Int) throws(TokenizerError) {
        content = try field.required("content").bytes()
        self.id = id
        singleWord = try field.bool("single_word", default: false)
        stripsLeft = try field.bool("lstrip", default: false)
        stripsRight = try field.bool("rstrip", default: false)
        special = try field.bool("special", default: false)
        normalized = try field.bool("normalized", default: !special)
    }

    /// The tokens that `added_tokens_decoder` of tokenizer_config.json or, in older directories,
    /// added_tokens.json adds.
    ///
    /// - Throws: `TokenizerError` also where `vocabulary` does not give each of them the same id.
    static func listed(in directory: URL, _ vocabulary: Vocabulary) throws(TokenizerError) -> [AddedToken] {
        var tokens: [AddedToken] = []
        func append(_ token: AddedToken, file: String) throws(TokenizerError) {
            let name = String(decoding: token.content, as: UTF8.self)
            let known = try vocabulary.requiredID(of: name, file: file)
            guard known == token.id else {
                throw .unexpectedValue(
                    file: file, field: "id of '\(name)'", expected: "\(known) as in the vocabulary",
                    got: "\(token.id)")
            }
            tokens.append(token)
        }
        if let config = try JSONReader.readIfPresent(directory.appending(path: "tokenizer_config.json")),
            let list = try config.optional("added_tokens_decoder")
        {
            for member in try list.members() {
                let key = String(decoding: member.key, as: UTF8.self)
                let field = JSONField(file: list.file, path: "\(list.path).\(key)", value: member.value)
                guard let id = Int(key) else { throw field.unexpected("an id as its name") }
                try append(AddedToken(field, id: id), file: list.file)
            }
        } else if let list = try JSONReader.readIfPresent(directory.appending(path: "added_tokens.json")) {
            for member in try list.members() {
                let key = String(decoding: member.key, as: UTF8.self)
                let id = try JSONField(file: list.file, path: key, value: member.value).integer()
                try append(
                    AddedToken(content: member.key, id: id, normalized: true, special: false), file: list.file
                )
            }
        }
        return tokens
    }
}
