import BitplanTensors

/// What the sublayers of a decoder remember of the tokens so far, for a batch whose rows go on token by
/// token.
package struct DecodingCache: Sendable {
    /// By sublayer of the network, then by row; nothing for sublayers that remember nothing.
    private(set) var memories: [[SequenceMemory]]
    /// By row, the place of the token that comes next.
    private(set) var positions: [Int]
    /// Memory for the scores of attention.
    private var scores: [Float] = []

    /// What the sublayers remember before the first step, of rows whose next token stands at `positions`.
    init(_ memories: [[SequenceMemory]], positions: [Int]) {
        self.memories = memories
        self.positions = positions
    }

    /// Keeps the rows at `indices`, in that order; a row may occur several times. Nothing is copied.
    mutating func select(_ indices: [Int]) {
        for place in memories.indices where !memories[place].isEmpty {
            memories[place] = indices.map { memories[place][$0] }
        }
        positions = indices.map { positions[$0] }
    }

    /// Runs one more token of every row through a network's sublayers.
    ///
    /// - Shapes: `x` (rows, width).
    mutating func step(_ x: inout Matrix, _ sublayers: SublayerList) {
        for (place, entry) in sublayers.entries.enumerated() {
            entry.sublayer.step(&x, &memories[place], positions: positions, scores: &scores)
        }
        for row in positions.indices { positions[row] += 1 }
    }
}
