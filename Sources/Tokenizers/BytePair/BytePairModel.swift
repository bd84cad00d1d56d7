/// Byte-pair encoding over bytes or characters: the neighbours with the lowest rank are merged, the leftmost
/// first, until none can be.
///
/// - Source: Sennrich et al. 2016; Radford et al. 2019 for bytes; characters, their bytes where they have no
///   token, and what is unknown as Hugging Face's tokenizers 0.23 has them.
struct BytePairModel: Sendable {
    /// Two neighbouring tokens.
    struct Pair: Hashable {
        let left: Int32
        let right: Int32
    }

    /// What two neighbours become.
    struct Merge {
        let rank: Int32
        let result: Int32
    }

    /// What a piece consists of before any merge.
    private enum Alphabet {
        /// Bytes: the id of each, nil where the vocabulary does not name it.
        case bytes([Int32?])
        /// Characters; one that has no token becomes its bytes where `fallback` has all their ids.
        case characters(fallback: [Int?]?)
    }

    private let vocabulary: Vocabulary
    private let merges: [Pair: Merge]
    private let alphabet: Alphabet
    private let unknownID: Int32?
    /// Whether unknown characters beside each other are one token.
    private let fusesUnknown: Bool
    private let looksUpWholePieces: Bool

    /// Reads `model` of a tokenizer.json.
    ///
    /// - Parameter isByteLevel: whether its tokens are written in the alphabet of bytes.
    init(_ model: JSONField, vocabulary: Vocabulary, isByteLevel: Bool) throws(TokenizerError) {
        for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let text = try model.optional(name), try !text.bytes().isEmpty {
                throw .unsupported(file: model.file, what: "the model's \(name)")
            }
        }
        if let dropout = try model.optional("dropout") {
            guard case .number(let text) = dropout.value, Double(text) == 0 else {
                throw .unsupported(file: model.file, what: "the model's dropout")
            }
        }
        let hasFallback = try model.bool("byte_fallback", default: false)
        if hasFallback, isByteLevel {
            throw .unsupported(
                file: model.file, what: "the model's byte_fallback behind the pre-tokenizer 'ByteLevel'")
        }
        self.vocabulary = vocabulary
        looksUpWholePieces = try model.bool("ignore_merges", default: false)
        unknownID =
            if let token = try model.optional("unk_token") {
                Int32(try vocabulary.requiredID(of: token.string(), file: model.file))
            } else { nil }
        fusesUnknown = try model.bool("fuse_unk", default: false)
        if unknownID != nil, fusesUnknown, isByteLevel {
            throw .unsupported(
                file: model.file, what: "the model's fuse_unk behind the pre-tokenizer 'ByteLevel'")
        }
        alphabet =
            isByteLevel
            ? .bytes(ByteAlphabet.characters.map { vocabulary.id(of: $0[...]).map(Int32.init) })
            : .characters(fallback: hasFallback ? vocabulary.byteTokens : nil)
        merges = try Self.merges(model.required("merges"), vocabulary)
    }

    /// Every merge is two tokens, as an array or with one space between; their order is their rank.
    private static func merges(_ field: JSONField, _ vocabulary: Vocabulary) throws(TokenizerError) -> [Pair:
        Merge]
    {
        guard case .array(let elements) = field.value else { throw field.unexpected("an array") }
        var merges: [Pair: Merge] = [:]
        merges.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            let sides: [ArraySlice<UInt8>]
            switch element {
            case .string(let bytes):
                sides = bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            case .array(let pair):
                sides = pair.compactMap { if case .string(let bytes) = $0 { bytes[...] } else { nil } }
            default: sides = []
            }
            guard sides.count == 2 else {
                throw JSONField(file: field.file, path: "\(field.path)[\(index)]", value: element)
                    .unexpected("two tokens")
            }
            func id(_ token: ArraySlice<UInt8>) throws(TokenizerError) -> Int32 {
                guard let id = vocabulary.id(of: token) else {
                    throw .unknownMergeToken(
                        file: field.file, index: index, token: String(decoding: token, as: UTF8.self))
                }
                return Int32(id)
            }
            let pair = Pair(left: try id(sides[0]), right: try id(sides[1]))
            let merge = Merge(rank: Int32(index), result: try id(sides[0] + sides[1]))
            if let earlier = merges.updateValue(merge, forKey: pair) {
                throw .duplicateMerge(file: field.file, first: Int(earlier.rank), second: index)
            }
        }
        return merges
    }

    /// Appends the ids of one piece of text.
    ///
    /// - Complexity: O(n log n) for n bytes.
    func encode(_ piece: ArraySlice<Unicode.Scalar>, into ids: inout [Int]) {
        if looksUpWholePieces {
            let bytes = piece.utf8
            let name =
                if case .bytes = alphabet { bytes.flatMap { ByteAlphabet.characters[Int($0)] } } else {
                    bytes
                }
            if let id = vocabulary.id(of: name[...]) {
                ids.append(id)
                return
            }
        }
        var symbols = SymbolList(self.symbols(of: piece))
        merge(&symbols)
        symbols.forEach { ids.append(Int($0)) }
    }

    /// The tokens of a piece before any merge.
    private func symbols(of piece: ArraySlice<Unicode.Scalar>) -> [Int32] {
        let fallback: [Int?]?
        switch alphabet {
        case .bytes(let byteIDs):
            // A byte that the vocabulary does not name is the unknown token, or nothing where there is none.
            return piece.utf8.compactMap { byteIDs[Int($0)] ?? unknownID }
        case .characters(let ids): fallback = ids
        }
        var symbols: [Int32] = []
        symbols.reserveCapacity(piece.count)
        // Like the reference, an unknown token waits until a character with a token or another one comes.
        var isUnknownWaiting = false
        for scalar in piece {
            let bytes = [scalar].utf8
            if let id = vocabulary.id(of: bytes[...]) {
                if isUnknownWaiting, let unknownID { symbols.append(unknownID) }
                isUnknownWaiting = false
                symbols.append(Int32(id))
            } else if let ids = fallback?.ids(of: bytes[...]) {
                symbols += ids.map(Int32.init)
            } else if let unknownID {
                if isUnknownWaiting, !fusesUnknown { symbols.append(unknownID) }
                isUnknownWaiting = true
            }
        }
        if isUnknownWaiting, let unknownID { symbols.append(unknownID) }
        return symbols
    }

    private func merge(_ symbols: inout SymbolList) {
        var queue = MergeQueue()
        func propose(_ left: Int32) {
            guard let pair = symbols.pair(at: left), let merge = merges[pair] else { return }
            queue.push(MergeQueue.Candidate(rank: merge.rank, position: left, result: merge.result))
        }
        for position in 0..<symbols.count { propose(Int32(position)) }
        while let candidate = queue.pop() {
            // Stale where one side has been merged away since. Like the reference, this compares what the
            // pair becomes, not the rank under which it was queued.
            guard let pair = symbols.pair(at: candidate.position), merges[pair]?.result == candidate.result
            else {
                continue
            }
            symbols.merge(at: candidate.position, into: candidate.result)
            propose(candidate.position)
            if let previous = symbols.previous(of: candidate.position) { propose(previous) }
        }
    }
}

extension [Int?] {
    /// The ids of bytes, given that of every byte; nil where one of them has none.
    func ids(of bytes: ArraySlice<UInt8>) -> [Int]? {
        let ids = bytes.compactMap { self[Int($0)] }
        return ids.count == bytes.count ? ids : nil
    }
}
