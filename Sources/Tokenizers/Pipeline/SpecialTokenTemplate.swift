/// Token ids with the number of the text that each came from.
package struct TokenSequence: Sendable, Hashable {
    /// The ids, special tokens included.
    package var ids: [Int] = []
    /// As many as `ids`: 0 for the first text and its special tokens, 1 for the second's, where the model
    /// tells them apart.
    package var typeIDs: [Int] = []

    /// A sequence of these ids and, as many, types.
    package init(ids: [Int] = [], typeIDs: [Int] = []) {
        self.ids = ids
        self.typeIDs = typeIDs
    }
}

/// Which special tokens stand around one text or a pair, as `post_processor` of a tokenizer.json says.
struct SpecialTokenTemplate: Sendable {
    enum Piece: Sendable {
        case special(ids: [Int], typeID: Int)
        case first(typeID: Int)
        case second(typeID: Int)
    }

    var single: [Piece]
    var pair: [Piece]

    /// Nothing around.
    static let none = SpecialTokenTemplate(
        single: [.first(typeID: 0)], pair: [.first(typeID: 0), .second(typeID: 1)])

    /// `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`.
    static func bert(start: Int, separator: Int) -> SpecialTokenTemplate {
        let first: [Piece] = [
            .special(ids: [start], typeID: 0), .first(typeID: 0), .special(ids: [separator], typeID: 0),
        ]
        return SpecialTokenTemplate(
            single: first, pair: first + [.second(typeID: 1), .special(ids: [separator], typeID: 1)])
    }

    /// `<s> A </s>` and `<s> A </s></s> B </s>`, all of one type.
    static func roberta(start: Int, separator: Int) -> SpecialTokenTemplate {
        let first: [Piece] = [
            .special(ids: [start], typeID: 0), .first(typeID: 0), .special(ids: [separator], typeID: 0),
        ]
        return SpecialTokenTemplate(
            single: first,
            pair: first + [
                .special(ids: [separator], typeID: 0), .second(typeID: 0),
                .special(ids: [separator], typeID: 0),
            ])
    }

    /// The ids of one text or a pair, cut so that no more than `maximumLength` remain.
    ///
    /// Of a pair the longer text is cut first, then both evenly; special tokens are never cut.
    func apply(_ first: [Int], _ second: [Int]?, maximumLength: Int?) -> TokenSequence {
        let pieces = second == nil ? single : pair
        var firstCount = first.count
        var secondCount = second?.count ?? 0
        if let maximumLength {
            let room = max(0, maximumLength - Self.specialCount(pieces))
            if second == nil {
                firstCount = min(firstCount, room)
            } else {
                (firstCount, secondCount) = Self.longestFirst(firstCount, secondCount, room: room)
            }
        }
        var result = TokenSequence()
        func append(_ ids: some Collection<Int>, _ typeID: Int) {
            result.ids += ids
            result.typeIDs += repeatElement(typeID, count: ids.count)
        }
        for piece in pieces {
            switch piece {
            case .special(let ids, let typeID): append(ids, typeID)
            case .first(let typeID): append(first.prefix(firstCount), typeID)
            case .second(let typeID): append((second ?? []).prefix(secondCount), typeID)
            }
        }
        return result
    }

    /// The special tokens around one text or a pair, and the largest type of any token.
    func frame(ofPair isPair: Bool) -> (specialTokens: Int, largestType: Int) {
        let pieces = isPair ? pair : single
        let types = pieces.map {
            switch $0 {
            case .special(_, let typeID), .first(let typeID), .second(let typeID): typeID
            }
        }
        return (Self.specialCount(pieces), types.max() ?? 0)
    }

    private static func specialCount(_ pieces: [Piece]) -> Int {
        pieces.reduce(0) { if case .special(let ids, _) = $1 { $0 + ids.count } else { $0 } }
    }

    /// Both lengths under the strategy `longest_first`: where both have to be cut, the first gets the smaller
    /// half.
    private static func longestFirst(_ first: Int, _ second: Int, room: Int) -> (Int, Int) {
        guard first + second > room else { return (first, second) }
        let shorter = min(first, second)
        if 2 * shorter <= room {
            return first <= second ? (first, room - first) : (room - second, second)
        }
        let smaller = room / 2
        let larger = room - smaller
        // The reference hands the odd token to the longer text.
        return first <= second ? (smaller, larger) : (larger, smaller)
    }
}

extension SpecialTokenTemplate {
    /// Reads `post_processor`; a kind that is not known is refused by name.
    init(_ field: JSONField, vocabularySize: Int) throws(TokenizerError) {
        let kind = try field.required("type").string()
        func special(_ name: String) throws(TokenizerError) -> Int {
            let elements = try field.required(name).elements()
            guard elements.count == 2 else { throw try field.required(name).unexpected("a token and its id") }
            return try Self.checked(elements[1], vocabularySize)
        }
        switch kind {
        case "ByteLevel": self = .none
        case "BertProcessing": self = .bert(start: try special("cls"), separator: try special("sep"))
        case "RobertaProcessing": self = .roberta(start: try special("cls"), separator: try special("sep"))
        case "TemplateProcessing":
            single = try Self.pieces(field, "single", vocabularySize)
            pair = try Self.pieces(field, "pair", vocabularySize)
        case "Sequence":
            // Only one of them adds tokens in any published file; which one is outermost does not matter
            // then.
            var found: SpecialTokenTemplate?
            for processor in try field.required("processors").elements() {
                if try processor.required("type").string() == "ByteLevel" { continue }
                if found != nil { throw .unsupported(file: field.file, what: "more than one template") }
                found = try SpecialTokenTemplate(processor, vocabularySize: vocabularySize)
            }
            self = found ?? .none
        default: throw .unsupported(file: field.file, what: "the post-processor '\(kind)'")
        }
    }

    private static func checked(_ field: JSONField, _ vocabularySize: Int) throws(TokenizerError) -> Int {
        let id = try field.integer()
        guard (0..<vocabularySize).contains(id) else {
            throw field.unexpected("an id from 0 to \(vocabularySize - 1)")
        }
        return id
    }

    private static func pieces(
        _ field: JSONField, _ name: String, _ vocabularySize: Int
    ) throws(TokenizerError) -> [Piece] {
        var pieces: [Piece] = []
        var texts: Set<String> = []
        for piece in try field.required(name).elements() {
            if let sequence = try piece.optional("Sequence") {
                let id = try sequence.required("id")
                let text = try id.string()
                guard texts.insert(text).inserted else { throw id.unexpected("every text once") }
                let typeID = try typeID(sequence)
                switch text {
                case "A": pieces.append(.first(typeID: typeID))
                case "B": pieces.append(.second(typeID: typeID))
                default: throw id.unexpected("A or B")
                }
            } else {
                let token = try piece.required("SpecialToken")
                let known = try field.required("special_tokens").required(token.required("id").string())
                var ids: [Int] = []
                for id in try known.required("ids").elements() { ids.append(try checked(id, vocabularySize)) }
                pieces.append(.special(ids: ids, typeID: try typeID(token)))
            }
        }
        return pieces
    }

    private static func typeID(_ piece: JSONField) throws(TokenizerError) -> Int {
        let field = try piece.required("type_id")
        let typeID = try field.integer()
        guard typeID >= 0 else { throw field.unexpected("a type of at least 0") }
        return typeID
    }
}
