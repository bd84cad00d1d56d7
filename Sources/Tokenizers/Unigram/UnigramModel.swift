/// The segmentation of a text into pieces that is the likeliest, where every piece has a log-probability of
/// its own.
///
/// - Source: Kudo 2018; of several equal ones the one that Hugging Face's tokenizers 0.23 takes
///   (`encode_optimized`).
struct UnigramModel: Sendable {
    /// What an unknown character costs beyond the least likely piece.
    private static let unknownPenalty = 10.0

    private let vocabulary: Vocabulary
    /// By id, as far as the model has pieces: added tokens are none.
    private let scores: [Double]
    private let unknownID: Int
    private let unknownScore: Double
    /// By byte, the tokens that a character without a piece is written in; nil where it is unknown.
    private let fallback: [Int?]?
    /// Bytes of the longest piece.
    private let longestPiece: Int

    /// Reads `model` of a tokenizer.json: `vocab`, a list of pieces and scores, and `unk_id`.
    init(_ model: JSONField, vocabulary: Vocabulary) throws(TokenizerError) {
        var scores: [Double] = []
        for entry in try model.required("vocab").elements() {
            let parts = try entry.elements()
            guard parts.count == 2, case .number(let text) = parts[1].value, let score = Double(text),
                score.isFinite
            else { throw entry.unexpected("a piece and its score") }
            scores.append(score)
        }
        let unknown = try model.required("unk_id")
        unknownID = try unknown.integer()
        guard scores.indices.contains(unknownID) else {
            throw unknown.unexpected("an id from 0 to \(scores.count - 1)")
        }
        fallback =
            try model.bool("byte_fallback", default: false) ? vocabulary.byteTokens : nil
        self.vocabulary = vocabulary
        self.scores = scores
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
        longestPiece = scores.indices.reduce(1) { max($0, vocabulary[$1].count) }
    }

    /// The best segmentation of what lies before a place of the text.
    private struct Node {
        var score = 0.0
        /// Where its last piece starts; nil where no segmentation ends here.
        var start: Int?
        var id = 0
    }

    /// Appends the ids of one piece of text.
    ///
    /// - Complexity: O(length of the text x length of the longest piece) look-ups.
    func encode(_ piece: ArraySlice<Unicode.Scalar>, into ids: inout [Int]) {
        let bytes = piece.utf8
        var starts = piece.reduce(into: [0]) { $0.append($0[$0.count - 1] + UTF8.width($1)) }
        let end = starts.removeLast()
        var nodes = [Node](repeating: Node(), count: end + 1)
        for (index, start) in starts.enumerated() {
            let here = nodes[start].score
            func offer(_ id: Int, _ score: Double, endingAt end: Int) {
                if nodes[end].start == nil || score > nodes[end].score {
                    nodes[end] = Node(score: score, start: start, id: id)
                }
            }
            var isKnown = false
            let ends = starts[(index + 1)...] + [end]
            for (length, stop) in zip(1..., ends) {
                if stop - start > longestPiece { break }
                guard let id = vocabulary.id(of: bytes[start..<stop]), scores.indices.contains(id) else {
                    continue
                }
                offer(id, scores[id] + here, endingAt: stop)
                isKnown = isKnown || length == 1
            }
            if !isKnown, let stop = ends.first { offer(unknownID, unknownScore + here, endingAt: stop) }
        }
        append(pieces(nodes), of: bytes, to: &ids)
    }

    /// Where the best segmentation's pieces lie; unknown ones beside each other are one.
    private func pieces(_ nodes: [Node]) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var end = nodes.count - 1
        var wasUnknown = false
        while end > 0, let start = nodes[end].start {
            let isUnknown = nodes[end].id == unknownID
            if isUnknown, wasUnknown, let last = pieces.popLast() {
                pieces.append(start..<last.upperBound)
            } else {
                pieces.append(start..<end)
            }
            wasUnknown = isUnknown
            end = start
        }
        return pieces.reversed()
    }

    private func append(_ pieces: [Range<Int>], of bytes: [UInt8], to ids: inout [Int]) {
        for piece in pieces {
            if let id = vocabulary.id(of: bytes[piece]), scores.indices.contains(id) {
                ids.append(id)
            } else if let bytes = fallback?.ids(of: bytes[piece]) {
                ids += bytes
            } else {
                ids.append(unknownID)
            }
        }
    }
}
