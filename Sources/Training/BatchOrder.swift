import BitplanTensors

/// The order in which a run reads its items: a new seeded order for every pass over them, so that a step's
/// items follow from its number alone.
package struct BatchOrder {
    private let count: Int
    private let seed: UInt64

    /// The order of `count` items.
    package init(count: Int, seed: UInt64) {
        self.count = count
        self.seed = seed
    }

    /// The items of a step, from 0.
    ///
    /// - Complexity: O(count) a step, which is little beside a step.
    package func batch(_ step: Int, size: Int) -> [Int] {
        let size = min(size, count)
        var items: [Int] = []
        var position = step * size
        while items.count < size, count > 0 {
            let order = order(ofPass: position / count)
            let start = position % count
            let taken = order[start..<min(count, start + size - items.count)]
            items += taken
            position += taken.count
        }
        return items
    }

    private func order(ofPass pass: Int) -> [Int] {
        var generator = SeededGenerator(seed: seed &* 0x9E37_79B9 &+ UInt64(pass) &+ 1)
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) {
            order.swapAt(index, generator.index(below: index + 1))
        }
        return order
    }
}

extension [Int] {
    /// The items in `count` parts of about equal length: the longest first, each to the part that has least.
    func sharded(_ count: Int, length: (Int) -> Int) -> [[Int]] {
        var parts = [[Int]](repeating: [], count: Swift.max(1, count))
        var sizes = [Int](repeating: 0, count: parts.count)
        let lengths = Dictionary(map { ($0, length($0)) }) { first, _ in first }
        for item in sorted(by: { (-lengths[$0, default: 0], $0) < (-lengths[$1, default: 0], $1) }) {
            let least = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) } ?? 0
            parts[least].append(item)
            sizes[least] += lengths[item, default: 0]
        }
        return parts.filter { !$0.isEmpty }
    }
}
