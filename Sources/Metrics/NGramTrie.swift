/// The n-grams of one reference, counted, against which a hypothesis is matched.
///
/// Symbols are any numbers: scalars for chrF, word identifiers for BLEU. A node of the trie is an n-gram, so
/// no n-gram is ever hashed as a whole, and equal n-grams are equal exactly.
struct NGramTrie {
    private let maximumOrder: Int
    private var children: [UInt64: Int] = [:]
    private var counts = [0]

    /// - Complexity: O(symbols * maximumOrder).
    init(_ symbols: [UInt32], maximumOrder: Int) {
        self.maximumOrder = maximumOrder
        children.reserveCapacity(symbols.count * maximumOrder)
        for start in symbols.indices {
            var node = 0
            for symbol in symbols[start...].prefix(maximumOrder) {
                let key = Self.key(node, symbol)
                if let child = children[key] {
                    node = child
                    counts[node] += 1
                } else {
                    node = counts.count
                    children[key] = node
                    counts.append(1)
                }
            }
        }
    }

    /// How many n-grams of each order 1...maximumOrder match, each at most as often as the reference has it.
    func clippedMatches(_ symbols: [UInt32]) -> [Int] {
        var unused = counts
        var matches = [Int](repeating: 0, count: maximumOrder)
        for start in symbols.indices {
            var node = 0
            for (order, symbol) in symbols[start...].prefix(maximumOrder).enumerated() {
                // What does not occur in the reference occurs in no longer n-gram of it either.
                guard let child = children[Self.key(node, symbol)] else { break }
                node = child
                if unused[node] > 0 {
                    unused[node] -= 1
                    matches[order] += 1
                }
            }
        }
        return matches
    }

    /// How many n-grams of the order a sequence of `length` symbols has.
    static func total(length: Int, order: Int) -> Int { max(0, length - order + 1) }

    private static func key(_ node: Int, _ symbol: UInt32) -> UInt64 {
        UInt64(node) << 32 | UInt64(symbol)
    }
}
