/// When in the answering of an item a product is run.
public enum Pass: String, Codable, Hashable, Sendable, CaseIterable {
    /// Once, over all tokens that are read together: a source sentence, a prompt, a text.
    case read
    /// Once for every token that is generated, over that token.
    case step
    /// Once for every prediction, over one row: an output projection, a classifier.
    case predict
}

/// How much there is to do for one item (a sentence), answered alone.
public struct Workload: Codable, Hashable, Sendable {
    /// Tokens that are read together.
    public var read: Int
    /// Tokens that are run through the model one by one.
    public var steps: Int
    /// Times that classes or tokens are scored.
    public var predictions: Int
    /// Sequences that the read tokens belong to, which do not attend to each other.
    public var sequences: Int

    /// A workload of these counts.
    public init(read: Int, steps: Int, predictions: Int, sequences: Int = 1) {
        self.read = read
        self.steps = steps
        self.predictions = predictions
        self.sequences = sequences
    }

    /// How often a pass is run.
    public func calls(_ pass: Pass) -> Int {
        switch pass {
        case .read: read > 0 ? 1 : 0
        case .step: steps
        case .predict: predictions
        }
    }

    /// Tokens of one run of a pass.
    public func tokens(_ pass: Pass) -> Int { pass == .read ? read : 1 }
}

/// What is run of a sublayer, and when.
public struct SublayerWork: Codable, Hashable, Sendable {
    /// Matrices that are multiplied with the same activations.
    public struct Product: Codable, Hashable, Sendable {
        /// Indices into the sublayer's matrices.
        public let matrices: [Int]
        /// When.
        public let pass: Pass
        /// Whether a non-linearity follows.
        public let isActivated: Bool

        /// A product with these matrices.
        public init(_ matrices: [Int], _ pass: Pass, isActivated: Bool = false) {
            self.matrices = matrices
            self.pass = pass
            self.isActivated = isActivated
        }
    }

    /// Queries that read keys and values.
    public struct Attention: Codable, Hashable, Sendable {
        /// When queries are made.
        public let pass: Pass
        /// Whose keys they see.
        public let keys: Keys
        /// Heads of the queries.
        public let heads: Int
        /// Channels of the queries, all heads together.
        public let width: Int
        /// How many of the tokens up to its own a query sees, itself the last of them; nil where it sees all.
        public let window: Int?

        /// Whose keys queries see.
        public enum Keys: String, Codable, Hashable, Sendable {
            /// Those of all tokens that were read.
            case read
            /// Those of the tokens that were read up to their own.
            case readBefore
            /// Those of the generated tokens up to their own.
            case generated
            /// Those of all tokens that were read and of the generated ones up to their own.
            case readAndGenerated
        }

        /// Attention of these shapes.
        public init(_ pass: Pass, over keys: Keys, heads: Int, width: Int, window: Int? = nil) {
            self.pass = pass
            self.keys = keys
            self.heads = heads
            self.width = width
            self.window = window
        }

        /// Pairs of a query and a key that it sees.
        public func pairs(_ workload: Workload) -> Double {
            let (read, steps) = (workload.read, workload.steps)
            switch keys {
            case .read:
                let queries = pass == .read ? read : steps
                let sequences = pass == .read ? max(1, workload.sequences) : 1
                return Double(queries) * Double(read) / Double(sequences)
            case .readBefore: return seen(byFirst: read)
            case .generated: return seen(byFirst: steps)
            case .readAndGenerated: return seen(byFirst: read + steps) - seen(byFirst: read)
            }
        }

        /// Keys that the first `count` tokens of a text see: the sum over i = 1...count of min(i, window).
        private func seen(byFirst count: Int) -> Double {
            let growing = Double(min(count, window ?? count))
            return growing * (growing + 1) / 2 + (Double(count) - growing) * growing
        }
    }

    /// Products, in order of execution.
    public let products: [Product]
    /// Attentions.
    public let attentions: [Attention]
    /// When a row of the first matrix is looked up for every token: an embedding.
    public let lookups: [Pass]

    /// The work of a sublayer.
    public init(products: [Product], attentions: [Attention] = [], lookups: [Pass] = []) {
        self.products = products
        self.attentions = attentions
        self.lookups = lookups
    }

    /// This work and, after it, other work.
    public func adding(_ other: SublayerWork) -> SublayerWork {
        SublayerWork(
            products: products + other.products, attentions: attentions + other.attentions,
            lookups: lookups + other.lookups)
    }
}

/// What a model runs for one item, by kind of sublayer: a description that seconds and joules are computed
/// from.
public struct ModelWork: Codable, Hashable, Sendable {
    /// The work of the sublayers of a kind; a kind that is missing runs nothing.
    public let kinds: [SublayerKind: SublayerWork]
    /// By name, the work of single sublayers that differ from their kind: attentions of other windows. nil
    /// where there are none.
    private let sublayers: [String: SublayerWork]?

    private enum CodingKeys: String, CodingKey {
        case kinds = "types"
        case sublayers
    }

    /// The work of these kinds, and of the sublayers that differ from them.
    public init(kinds: [SublayerKind: SublayerWork], sublayers: [SublayerName: SublayerWork] = [:]) {
        self.kinds = kinds
        self.sublayers =
            sublayers.isEmpty
            ? nil : Dictionary(uniqueKeysWithValues: sublayers.map { ($0.sublayer, $1) })
    }

    /// The work of an item that is read and, where the model generates, answered with so many tokens.
    ///
    /// A decoder-only model predicts its first token from what it has read; an encoder-decoder takes a step
    /// for every token.
    public func workload(read: Int, generated: Int) -> Workload {
        let parts = kinds.values
        guard parts.contains(where: { $0.products.contains { $0.pass == .step } }) else {
            return Workload(read: read, steps: 0, predictions: 1)
        }
        let readsItsOwn = parts.contains { $0.attentions.contains { $0.keys == .readBefore } }
        return Workload(
            read: read, steps: readsItsOwn ? max(0, generated - 1) : generated, predictions: generated)
    }

    /// The work of a sublayer.
    public subscript(name: SublayerName) -> SublayerWork {
        sublayers?[name.sublayer] ?? kinds[name.kind] ?? SublayerWork(products: [])
    }
}
