/// One of several parts of a sweep, each measured into a store of its own: `2/4` is the second of four.
package struct Shard: Hashable, Sendable, LosslessStringConvertible {
    /// Which part, from 1.
    package let number: Int
    /// How many parts there are.
    package let count: Int

    /// Most parts.
    package static let largestCount = 65536

    /// Reads `2/4`; nil where the text is no part of 1 to 65536.
    package init?(_ text: String) {
        let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let number = numbers[0], let count = numbers[1],
            (1...Self.largestCount).contains(count), (1...count).contains(number)
        else { return nil }
        self.number = number
        self.count = count
    }

    /// `2/4`.
    package var description: String { "\(number)/\(count)" }

    /// The jobs of this part, in their order: every job is in one part, and the parts cost about the same.
    ///
    /// The dearest job first, each goes to the part that has cost least so far, the first of equals.
    /// - Parameter costs: what every job costs, in any unit.
    /// - Source: Graham 1969, longest processing time first: the dearest part costs at most 4/3 of the least
    ///   that any split can have.
    package func share(of costs: [Int]) -> [Int] {
        var parts = [(cost: Int, jobs: [Int])](repeating: (0, []), count: count)
        for job in costs.indices.sorted(by: { (-costs[$0], $0) < (-costs[$1], $1) }) {
            guard let least = parts.indices.min(by: { (parts[$0].cost, $0) < (parts[$1].cost, $1) }) else {
                continue
            }
            parts[least].cost += costs[job]
            parts[least].jobs.append(job)
        }
        return parts[number - 1].jobs.sorted()
    }
}
