/// Tokens and their ids, a bijection between distinct byte strings and `0..<count`.
///
/// Tokens are compared by their bytes, never as Swift strings, whose equality is canonical equivalence.
struct Vocabulary: Sendable {
    /// The bytes of all tokens in the order of their ids, and where each of them ends.
    private let bytes: [UInt8]
    private let ends: [Int32]
    /// Ids at the places that the tokens' hashes lead to, or behind them; -1 where there is none. Twice as
    /// many places as tokens, at least.
    private let places: [Int32]

    var count: Int { ends.count }

    /// The bytes of every token, by id.
    var tokens: [[UInt8]] { (0..<count).map { Array(self[$0]) } }

    /// The bytes of a token.
    subscript(id: Int) -> ArraySlice<UInt8> { bytes[(id == 0 ? 0 : Int(ends[id - 1]))..<Int(ends[id])] }

    /// The id of a token given by its bytes.
    func id(of token: ArraySlice<UInt8>) -> Int? {
        var place = Self.hash(token) & (places.count - 1)
        while places[place] >= 0 {
            let id = Int(places[place])
            if self[id] == token { return id }
            place = (place + 1) & (places.count - 1)
        }
        return nil
    }

    /// Seeded anew in each run, so that no file can be made to collide.
    private static func hash(_ token: ArraySlice<UInt8>) -> Int {
        var hasher = Hasher()
        token.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Keeps distinct tokens in one block each of bytes, ends and places: a fraction of what as many arrays
    /// and a dictionary take.
    private init(distinct tokens: [[UInt8]]) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(tokens.reduce(0) { $0 + $1.count })
        var ends: [Int32] = []
        ends.reserveCapacity(tokens.count)
        var size = 4
        while size < 2 * tokens.count { size *= 2 }
        var places = [Int32](repeating: -1, count: size)
        for (id, token) in tokens.enumerated() {
            bytes += token
            ends.append(Int32(bytes.count))
            var place = Self.hash(token[...]) & (size - 1)
            while places[place] >= 0 { place = (place + 1) & (size - 1) }
            places[place] = Int32(id)
        }
        (self.bytes, self.ends, self.places) = (bytes, ends, places)
    }

    /// The id of a token given as text.
    func id(of token: String) -> Int? { id(of: ArraySlice(token.utf8)) }

    /// The id of a token that has to be there; `file` is named where it is not.
    func requiredID(of token: String, file: String) throws(TokenizerError) -> Int {
        guard let id = id(of: token) else { throw .missingToken(file: file, token: token) }
        return id
    }

    /// Tokens in the order of their ids, as the lines of vocab.txt.
    init(tokens: [[UInt8]], file: String) throws(TokenizerError) {
        var seen: Set<ArraySlice<UInt8>> = []
        seen.reserveCapacity(tokens.count)
        for token in tokens where !seen.insert(token[...]).inserted {
            throw .duplicateToken(file: file, token: String(decoding: token, as: UTF8.self))
        }
        self.init(distinct: tokens)
    }

    /// An object of tokens and ids, as in vocab.json; together the ids must be `0..<n`, each once. Or, where
    /// `isList`, a list of lists that start with a token each, whose place is its id.
    ///
    /// `extra` are tokens that live beside it and count as its members (a tokenizer.json's added tokens); one
    /// that it names too has to have the same id there.
    init(
        _ field: JSONField, isList: Bool = false, extra: [(token: [UInt8], id: Int)] = []
    ) throws(TokenizerError) {
        let members = try isList ? Self.listed(field) : Self.members(field)
        var ids: [ArraySlice<UInt8>: Int] = [:]
        for (token, id) in members {
            guard ids.updateValue(id, forKey: token[...]) == nil else {
                throw .duplicateToken(file: field.file, token: String(decoding: token, as: UTF8.self))
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
        for key in members.map(\.token) + extra.map(\.token) {
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
        self.init(distinct: tokens.compactMap { $0 })
    }

    private static func listed(_ field: JSONField) throws(TokenizerError) -> [(token: [UInt8], id: Int)] {
        var members: [(token: [UInt8], id: Int)] = []
        for (id, entry) in try field.elements().enumerated() {
            guard let token = try entry.elements().first else { throw entry.unexpected("a token") }
            members.append((try token.bytes(), id))
        }
        return members
    }

    private static func members(_ field: JSONField) throws(TokenizerError) -> [(token: [UInt8], id: Int)] {
        var members: [(token: [UInt8], id: Int)] = []
        for member in try field.members() {
            guard let id = member.value.integer else {
                throw .unexpectedValue(
                    file: field.file, field: "id of '\(String(decoding: member.key, as: UTF8.self))'",
                    expected: "an integer", got: member.value.typeName)
            }
            members.append((member.key, id))
        }
        return members
    }

    /// The ids of the tokens `<0x00>` to `<0xFF>`, nil for those that are missing.
    var byteTokens: [Int?] { (UInt8.min...UInt8.max).map { id(of: ByteToken.token(of: $0)[...]) } }
}
