/// Removes partial plans that another one beats: no larger objective and no larger cost of any kind. Of
/// equals the first stays.
struct DominanceFilter<Point: SIMD> where Point.Scalar == Double {
    private let constraints: Int
    /// Layers up to this size are passed on as they are: set where filtering has removed next to nothing.
    private var patience = 0

    init(constraints: Int) { self.constraints = constraints }

    /// - Complexity: O(n log n) for up to two constraints, O(n log^2 n) for three; with more, only equal
    ///   costs are merged and near neighbours compared.
    mutating func apply(_ partials: inout [Partial<Point>]) {
        let before = partials.count
        guard before > max(1, patience) else { return }
        let constraints = constraints
        partials.sort { first, second in
            if first.point[1] != second.point[1] { return first.point[1] < second.point[1] }
            for lane in stride(from: 2, through: constraints, by: 1)
            where first.point[lane] != second.point[lane] {
                return first.point[lane] < second.point[lane]
            }
            if first.point[0] != second.point[0] { return first.point[0] < second.point[0] }
            return (first.parent, first.option) < (second.parent, second.option)
        }
        switch constraints {
        case 1:
            var least = Double.infinity
            partials.removeAll { partial in
                if partial.point[0] >= least { return true }
                least = partial.point[0]
                return false
            }
        case 2:
            var front = PrefixMinimum(partials.map { $0.point[2] })
            partials.removeAll { !front.insert(key: $0.point[2], value: $0.point[0]) }
        case 3:
            Self.mergeEqualCosts(&partials)
            var isBeaten = [Bool](repeating: false, count: partials.count)
            _ = Self.mark(partials, 0..<partials.count, &isBeaten)
            var index = -1
            partials.removeAll { _ in
                index += 1
                return isBeaten[index]
            }
        default:
            Self.mergeEqualCosts(&partials)
            var kept: [Partial<Point>] = []
            for partial in partials
            where !kept.suffix(32).contains(where: { all($0.point .<= partial.point) }) {
                kept.append(partial)
            }
            partials = kept
        }
        patience = partials.count > before - before / 16 ? 2 * before : 0
    }

    /// Of sorted partial plans of equal costs only the first, which has the smallest objective, stays.
    private static func mergeEqualCosts(_ partials: inout [Partial<Point>]) {
        var last: Point?
        partials.removeAll { partial in
            var costs = partial.point
            costs[0] = 0
            defer { last = costs }
            return costs == last
        }
    }

    /// Marks which are beaten among partial plans sorted by their costs, by divide and conquer: no plan of
    /// the first half is beaten by the second, and what the first half beats in the second is seen by a sweep
    /// along the second cost. Returns the indices of those that are not beaten, by ascending second cost.
    private static func mark(_ partials: [Partial<Point>], _ range: Range<Int>, _ isBeaten: inout [Bool])
        -> [Int]
    {
        if range.count < 2 { return Array(range) }
        let middle = (range.lowerBound + range.upperBound) / 2
        let first = mark(partials, range.lowerBound..<middle, &isBeaten)
        let second = mark(partials, middle..<range.upperBound, &isBeaten)
        var front = PrefixMinimum(first.map { partials[$0].point[3] })
        var merged: [Int] = []
        merged.reserveCapacity(range.count)
        var next = 0
        for index in second {
            let point = partials[index].point
            while next < first.count, partials[first[next]].point[2] <= point[2] {
                let beating = partials[first[next]].point
                _ = front.insert(key: beating[3], value: beating[0])
                merged.append(first[next])
                next += 1
            }
            if front.holds(key: point[3], value: point[0]) {
                isBeaten[index] = true
            } else {
                merged.append(index)
            }
        }
        merged += first[next...]
        return merged
    }
}

/// The least value among keys up to a given one, under insertion: a Fenwick tree over the ranks of the keys.
struct PrefixMinimum {
    private let keys: [Double]
    private var tree: [Double]

    /// - Parameter keys: all keys that will be inserted, in any order.
    init(_ keys: [Double]) {
        self.keys = keys.sorted()
        tree = Array(repeating: .infinity, count: keys.count + 1)
    }

    /// Whether a key up to `key` holds a value that is no larger.
    func holds(key: Double, value: Double) -> Bool {
        var index = count { $0 <= key }
        while index > 0 {
            if tree[index] <= value { return true }
            index &= index - 1
        }
        return false
    }

    /// Inserts a value unless a key up to `key` holds one that is no larger; whether it did.
    mutating func insert(key: Double, value: Double) -> Bool {
        if holds(key: key, value: value) { return false }
        var index = count { $0 < key } + 1
        while index < tree.count {
            tree[index] = min(tree[index], value)
            index += index & -index
        }
        return true
    }

    /// How many keys come before the first that is not below a bound.
    private func count(isBelow: (Double) -> Bool) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if isBelow(keys[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
