/// The tokens of a piece while they are merged: a doubly linked list inside of arrays, by starting position.
struct SymbolList {
    private static let none: Int32 = -1

    private var ids: [Int32]
    private var next: [Int32]
    private var before: [Int32]

    init(_ ids: [Int32]) {
        self.ids = ids
        let count = Int32(ids.count)
        next = (0..<count).map { $0 + 1 < count ? $0 + 1 : Self.none }
        before = (0..<count).map { $0 - 1 }
    }

    /// The number of positions, those merged away included.
    var count: Int { ids.count }

    /// The token that starts at `position` and the one behind it; nil where either is not there.
    func pair(at position: Int32) -> BytePairModel.Pair? {
        let left = ids[Int(position)]
        guard left != Self.none, next[Int(position)] != Self.none else { return nil }
        return BytePairModel.Pair(left: left, right: ids[Int(next[Int(position)])])
    }

    func previous(of position: Int32) -> Int32? {
        before[Int(position)] == Self.none ? nil : before[Int(position)]
    }

    /// Puts `result` in place of the token at `position` and the one behind it.
    mutating func merge(at position: Int32, into result: Int32) {
        let gone = Int(next[Int(position)])
        ids[Int(position)] = result
        ids[gone] = Self.none
        next[Int(position)] = next[gone]
        if next[gone] != Self.none { before[Int(next[gone])] = position }
    }

    /// The tokens that remain, in order.
    func forEach(_ body: (Int32) -> Void) {
        for id in ids where id != Self.none { body(id) }
    }
}

/// Merges that may be done, the lowest rank first, then the leftmost: a binary heap.
struct MergeQueue {
    struct Candidate: Comparable {
        let rank: Int32
        let position: Int32
        let result: Int32

        static func < (a: Candidate, b: Candidate) -> Bool { (a.rank, a.position) < (b.rank, b.position) }
    }

    private var heap: [Candidate] = []

    mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> Candidate? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first
    }
}
