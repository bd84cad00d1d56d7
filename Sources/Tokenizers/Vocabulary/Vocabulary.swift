/// Tokens and their ids, a bijection between distinct byte strings and `0..<count`.
///
/// Tokens are compared by their bytes, never as Swift strings, whose equality is canonical equivalence.
struct Vocabulary: Sendable {
    /// The bytes of every token, by id.
    let tokens: [[UInt8]]
    private let ids: [ArraySlice<UInt8>: Int]

    var count: Int { tokens.count }

    /// The id of a token given by its bytes.
    func id(of token: ArraySlice<UInt8>) -> Int? { ids[token] }

    /// The id of a token given as text.
    func id(of token: String) -> Int? { ids[ArraySlice(token.utf8)] }

    /// The id of a token that has to be there; `file` is named where it is not.
    func requiredID(of token: String, file: String) throws(TokenizerError) -> Int {
        guard let id = id(of: token) else { throw .missingToken(file: file, token: token) }
        return id
    }

    /// Tokens in the order of their ids, as the lines of vocab.txt.
    init(tokens: [[UInt8]], file: String) throws(TokenizerError) {
        var ids: [ArraySlice<UInt8>: Int] = [:]
        ids.reserveCapacity(tokens.count)
        for (id, token) in tokens.enumerated() where ids.updateValue(id, forKey: token[...]) != nil {
            throw .duplicateToken(file: file, token: String(decoding: token, as: UTF8.self))
        }
        self.tokens = tokens
        self.ids = ids
    }

    /// An object of tokens and ids, as in vocab.json; together the ids must be `0..<n`, each once.
    ///
    /// `extra` are tokens that live beside the object and count as its members (a tokenizer.json's added tokens); one that the
    /// object names too has to have the same id there.
    init(_ field: JSONField, extra: [(token: [UInt8], id: Int)] = []) throws(TokenizerError) {
        var ids: [ArraySlice<UInt8>: Int] = [:]
        for member in try field.members() {
            guard let id = member.value.integer else {
                throw .unexpectedValue(
                    file: field.file, field: "id of '\(String(decoding: member.key, as: UTF8.self))'",
                    expected: "an integer", got: member.value.typeName)
            }
            guard ids.updateValue(id, forKey: member.key[...]) == nil else {
                throw .duplicateToken(file: field.file, token: String(decoding: member.key, as: UTF8.self))
            }
        }
        for (token, id) in extra {
            let known = ids.updateValue(id, forKey: token[...])
            guard known == nil || known == id else {
                throw .duplicateToken(file: field.file, token: String(decoding: token, as: UTF8.self))
            }
        }

        var tokens = [[UInt8]?](repeating: nil, count: ids.count)
        // In document order, so that the error is the same on every run.
        for key in try field.members().map(\.key) + extra.map(\.token) {
            guard let id = ids[key[...]] else { continue }
            let name = String(decoding: key, as: UTF8.self)
            guard tokens.indices.contains(id) else {
                throw .idOutOfRange(file: field.file, token: name, id: id, count: ids.count)
            }
            if let other = tokens[id], other != key {
                throw .duplicateID(
                    file: field.file, id: id, first: String(decoding: other, as: UTF8.self), second: name)
            }
            tokens[id] = key
        }
        // As many distinct ids below the count as there are tokens: none is missing.
        self.tokens = tokens.compactMap { $0 }
        self.ids = ids
    }
}
