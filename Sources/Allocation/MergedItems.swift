/// The items of a problem with tied ones merged into one: their losses and costs add up, their options are
/// the common labels.
struct MergedItems {
    struct Entry {
        /// Indices of the problem's items, ascending.
        var members: [Int]
        /// Per merged option, the option index in each member.
        var options: [[Int]]
        /// Per merged option.
        var losses: [Double]
        /// Per budget, per merged option.
        var costs: [[Double]]
    }

    let entries: [Entry]
    private let itemCount: Int

    init(_ problem: AllocationProblem) throws(AllocationError) {
        itemCount = problem.items.count
        // Union-find over the ties, the smallest index being the root.
        var root = Array(problem.items.indices)
        func find(_ index: Int) -> Int {
            var index = index
            while root[index] != index { index = root[index] }
            return index
        }
        for tie in problem.ties {
            for (first, second) in zip(tie, tie.dropFirst()) {
                let (a, b) = (find(first), find(second))
                root[max(a, b)] = min(a, b)
            }
        }
        var members: [Int: [Int]] = [:]
        for index in problem.items.indices { members[find(index), default: []].append(index) }

        var entries: [Entry] = []
        for index in problem.items.indices {
            guard let group = members[index] else { continue }
            let items = group.map { problem.items[$0] }
            var entry = Entry(
                members: group, options: [], losses: [], costs: problem.budgets.map { _ in [] })
            for (option, first) in items[0].options.enumerated() {
                var picked = [option]
                for item in items.dropFirst() {
                    guard let same = item.options.firstIndex(where: { $0.label == first.label }) else {
                        break
                    }
                    picked.append(same)
                }
                guard picked.count == items.count else { continue }
                let options = zip(items, picked).map { $0.options[$1] }
                entry.options.append(picked)
                entry.losses.append(options.reduce(into: PairSum()) { $0.add($1.loss) }.rounded)
                for budget in problem.budgets.indices {
                    entry.costs[budget].append(
                        options.reduce(into: PairSum()) { $0.add($1.costs[budget]) }.rounded)
                }
            }
            guard !entry.options.isEmpty else {
                throw .tieWithoutCommonOption(items: items.map(\.name))
            }
            entries.append(entry)
        }
        self.entries = entries
    }

    /// Per item of the problem, the option that a choice of merged options means.
    func expand(_ choice: [Int]) -> [Int] {
        var expanded = [Int](repeating: 0, count: itemCount)
        for (entry, option) in zip(entries, choice) {
            for (member, index) in zip(entry.members, entry.options[option]) { expanded[member] = index }
        }
        return expanded
    }
}
