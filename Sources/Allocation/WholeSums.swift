/// The sums of whole numbers, one of each of several lists.
enum Lattice {
    /// The least sum, and what all sums differ by multiples of (0 where there is only one); nil where numbers
    /// are not whole, or too large to be added exactly.
    static func of(_ lists: some Sequence<some Collection<Double>>) -> (least: Double, step: Double)? {
        var (magnitude, least, step) = (0.0, 0.0, 0.0)
        for list in lists {
            guard list.allSatisfy({ $0 == $0.rounded() }) else { return nil }
            magnitude += list.reduce(0) { max($0, abs($1)) }
            guard magnitude < 0x1p51 else { return nil }
            let smallest = list.min() ?? 0
            least += smallest
            step = list.reduce(step) { greatestCommonDivisor($0, $1 - smallest) }
        }
        return (least, step)
    }
}

/// Of whole numbers below 2^53; that of 0 and x is x.
func greatestCommonDivisor(_ first: Double, _ second: Double) -> Double {
    var (first, second) = (first, second)
    while second != 0 { (first, second) = (second, first.truncatingRemainder(dividingBy: second)) }
    return first
}

/// A unit in which sums of one number of each list are whole and below 2^52: 1 where the numbers are whole,
/// else a power of two, to whose multiples they are to be rounded.
func wholeUnit(_ lists: [[Double]]) -> Double {
    let magnitude = lists.reduce(0) { sum, list in sum + list.reduce(0) { max($0, abs($1)) } }
    if magnitude < 0x1p52, lists.allSatisfy({ $0.allSatisfy { $0 == $0.rounded() } }) { return 1 }
    return max(.leastNormalMagnitude, Double(sign: .plus, exponent: magnitude.exponent - 50, significand: 1))
}
