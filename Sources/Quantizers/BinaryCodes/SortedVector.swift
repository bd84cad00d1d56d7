/// A vector's numbers in ascending order with their running sums: what every fit of binary codes needs.
///
/// The weights of one code value always form a run of the sorted numbers, in greedy and refined codes (each
/// plane cuts every run at its code value) as in nearest codes. So a step of a fit costs O(2^bits log
/// columns), whatever the columns.
final class SortedVector {
    private(set) var count = 0
    /// Ascending.
    let numbers: UnsafeMutablePointer<Float>
    /// `sums[i]` is the sum of the first i numbers.
    let sums: UnsafeMutablePointer<Double>
    /// The sum of squares.
    private(set) var squares = 0.0

    private let keys: UnsafeMutablePointer<UInt32>
    private let sortedKeys: UnsafeMutablePointer<UInt32>
    private let histogram: UnsafeMutablePointer<UInt32>

    /// Room for up to `capacity` numbers.
    init(capacity: Int) {
        numbers = .allocate(capacity: max(1, capacity))
        sums = .allocate(capacity: capacity + 1)
        keys = .allocate(capacity: max(1, capacity))
        sortedKeys = .allocate(capacity: max(1, capacity))
        histogram = .allocate(capacity: 4 * 256)
    }

    deinit {
        numbers.deallocate()
        sums.deallocate()
        keys.deallocate()
        sortedKeys.deallocate()
        histogram.deallocate()
    }

    /// Sorts `values` by radix.
    ///
    /// - Complexity: O(count).
    func load(_ values: UnsafePointer<Float>, count: Int) {
        self.count = count
        histogram.update(repeating: 0, count: 4 * 256)
        for index in 0..<count {
            let pattern = (values[index] + 0).bitPattern
            // Flips the order of negative numbers and puts them first.
            let key = pattern ^ (UInt32(bitPattern: Int32(bitPattern: pattern) >> 31) | 0x8000_0000)
            keys[index] = key
            for digit in 0..<4 { histogram[256 * digit + Int((key >> UInt32(8 * digit)) & 255)] += 1 }
        }
        var source = keys
        var target = sortedKeys
        for digit in 0..<4 {
            let counts = histogram + 256 * digit
            let shift = UInt32(8 * digit)
            if count > 0, counts[Int((source[0] >> shift) & 255)] == UInt32(count) { continue }
            var start: UInt32 = 0
            for value in 0..<256 {
                let size = counts[value]
                counts[value] = start
                start += size
            }
            for index in 0..<count {
                let key = source[index]
                let value = Int((key >> shift) & 255)
                target[Int(counts[value])] = key
                counts[value] += 1
            }
            swap(&source, &target)
        }
        var sum = 0.0
        var squares = 0.0
        sums[0] = 0
        for index in 0..<count {
            let key = source[index]
            let number = Float(
                bitPattern: key ^ (~UInt32(bitPattern: Int32(bitPattern: key) >> 31) | 0x8000_0000))
            numbers[index] = number
            sum += Double(number)
            squares += Double(number) * Double(number)
            sums[index + 1] = sum
        }
        self.squares = squares
    }

    /// The first index from `start` to `end` whose number is at least `threshold`; `end` where none is.
    @inline(__always)
    func lowerBound(_ threshold: Float, from start: Int, to end: Int) -> Int {
        var low = start
        var length = end - start
        while length > 0 {
            let half = length / 2
            let right = numbers[low + half] < threshold
            low = right ? low + half + 1 : low
            length = right ? length - half - 1 : half
        }
        return low
    }
}
