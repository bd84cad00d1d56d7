/// Finds the alphas of a vector that was decoded from binary codes, so that encoding it again changes
/// nothing.
///
/// Least squares and nearest codes alone do not: greedy codes of decoded greedy codes are others. A decoded
/// vector shows itself by few distinct numbers, all of them sums of plus or minus each alpha.
enum CodeRecovery {
    /// Alphas, falling, whose sums contain every number of `vector`. Nil where none are found: where the
    /// vector has more than 2^bits distinct numbers, is shorter than twice that (few distinct numbers then
    /// say nothing), or lacks many sums.
    static func alphas(of vector: SortedVector, bits: Int) -> [Double]? {
        let levels = 1 << bits
        guard vector.count >= 2 * levels else { return nil }
        var magnitudes: [Double] = []
        var distinct = 0
        for index in 0..<vector.count where index == 0 || vector.numbers[index] != vector.numbers[index - 1] {
            distinct += 1
            if distinct > levels { return nil }
            magnitudes.append(abs(Double(vector.numbers[index])))
        }
        magnitudes.sort()
        let tolerance = 1e-6 * (magnitudes.last ?? 0)
        return fromSmallestSums(magnitudes, bits: bits, tolerance: tolerance)
            ?? fromCommonDifferences(magnitudes, bits: bits, tolerance: tolerance)
    }

    /// Where all sums occur (or their negatives): counted from the least sum, the smallest one not yet
    /// explained is twice an alpha.
    private static func fromSmallestSums(_ magnitudes: [Double], bits: Int, tolerance: Double) -> [Double]? {
        let largest = magnitudes.last ?? 0
        let differences = magnitudes.flatMap { [largest - $0, largest + $0] }.sorted()
        var sums = [0.0]
        var found: [Double] = []
        for difference in differences where !contains(sums, difference, tolerance) {
            guard found.count < bits else { return nil }
            found.append(difference / 2)
            sums = (sums + sums.map { $0 + difference }).sorted()
        }
        let alphas = found.reversed() + [Double](repeating: 0, count: bits - found.count)
        return explains(alphas, magnitudes, tolerance) ? alphas : nil
    }

    /// Where some sums are missing: twice an alpha is the difference of more pairs of sums than most other
    /// numbers.
    private static func fromCommonDifferences(_ magnitudes: [Double], bits: Int, tolerance: Double)
        -> [Double]?
    {
        var sums: [Double] = []
        for sum in magnitudes.flatMap({ [-$0, $0] }).sorted()
        where sum - (sums.last ?? -.infinity) > tolerance {
            sums.append(sum)
        }
        var differences: [Double] = []
        for (index, sum) in sums.enumerated() {
            for other in sums[..<index] { differences.append(sum - other) }
        }
        differences.sort()
        var runs: [(count: Int, alpha: Double)] = []
        var start = 0
        for index in differences.indices {
            let last =
                index + 1 == differences.count || differences[index + 1] - differences[index] > tolerance
            guard last else { continue }
            runs.append((index + 1 - start, (differences[start] + differences[index]) / 4))
            start = index + 1
        }
        // Differences of two alphas are nearly as common where sums are missing: a few more than needed are
        // tried.
        let common = runs.sorted { ($1.count, $1.alpha) < ($0.count, $0.alpha) }.prefix(bits + 4).map(\.alpha)
        return chosen(from: common[...], count: bits, taken: []) { alphas in
            explains(alphas, magnitudes, tolerance)
        }?.sorted(by: >)
    }

    /// The first selection of `count` numbers, in order, that is accepted.
    private static func chosen(
        from numbers: ArraySlice<Double>, count: Int, taken: [Double], _ accept: ([Double]) -> Bool
    ) -> [Double]? {
        if taken.count == count { return accept(taken) ? taken : nil }
        guard let first = numbers.first, numbers.count >= count - taken.count else { return nil }
        return chosen(from: numbers.dropFirst(), count: count, taken: taken + [first], accept)
            ?? chosen(from: numbers.dropFirst(), count: count, taken: taken, accept)
    }

    /// Whether every magnitude is a sum of plus or minus each alpha.
    private static func explains(_ alphas: [Double], _ magnitudes: [Double], _ tolerance: Double) -> Bool {
        let sums = alphas.reduce([0.0]) { sums, alpha in sums.map { $0 - alpha } + sums.map { $0 + alpha } }
            .sorted()
        return magnitudes.allSatisfy { contains(sums, $0, tolerance) }
    }

    private static func contains(_ sorted: [Double], _ value: Double, _ tolerance: Double) -> Bool {
        var low = 0
        var high = sorted.count
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < value - tolerance { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] <= value + tolerance
    }
}
