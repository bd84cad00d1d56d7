/// WordPiece: a word becomes the longest piece that starts it, then the longest that continues it, and so on.
///
/// - Source: Wu et al. 2016; Devlin et al. 2019.
struct WordPiece: Sendable {
    let vocabulary: Vocabulary
    let unknownID: Int
    let prefix: [UInt8]
    private let maximumCharacters: Int
    /// Pieces inside of words, without their prefix.
    private let continuations: [ArraySlice<UInt8>: Int]
    private let longestPiece: Int

    /// A word of more than `maximumCharacters` characters, or one that cannot be put together from pieces, is
    /// `unknownID`.
    init(
        vocabulary: Vocabulary, unknownID: Int, prefix: [UInt8] = Array("##".utf8),
        maximumCharacters: Int = 100
    ) {
        self.vocabulary = vocabulary
        self.unknownID = unknownID
        self.prefix = prefix
        self.maximumCharacters = maximumCharacters
        var continuations: [ArraySlice<UInt8>: Int] = [:]
        for (id, token) in vocabulary.tokens.enumerated() where token.starts(with: prefix) {
            continuations[token[prefix.count...]] = id
        }
        self.continuations = continuations
        longestPiece = vocabulary.tokens.reduce(1) { max($0, $1.count) }
    }

    /// Appends the ids of one word.
    ///
    /// - Complexity: O(length of the word x length of the longest piece) look-ups.
    func encode(_ word: ArraySlice<Unicode.Scalar>, into ids: inout [Int]) {
        guard word.count <= maximumCharacters else {
            ids.append(unknownID)
            return
        }
        let bytes = word.utf8
        let firstID = ids.count
        var start = 0
        while start < bytes.count {
            var end = min(bytes.count, start + longestPiece)
            var id: Int?
            while end > start {
                let piece = bytes[start..<end]
                id = start == 0 ? vocabulary.id(of: piece) : continuations[piece]
                if id != nil { break }
                end -= 1
            }
            guard let id else {
                ids.removeSubrange(firstID...)
                ids.append(unknownID)
                return
            }
            ids.append(id)
            start = end
        }
    }
}
