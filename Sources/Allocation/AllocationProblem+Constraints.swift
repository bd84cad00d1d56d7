import PlanFormat

extension AllocationProblem {
    /// Which sublayers a preset tie makes equal.
    package enum TiePreset: String, Hashable, Sendable, CaseIterable {
        /// All depths of a type: `Enc_ffn.0`, `Enc_ffn.1`...
        case types
        /// All types of a depth in one stack: `Enc_ee.3`, `Enc_ffn.3`; the stack is what stands before the
        /// first `_`.
        case depth
    }

    /// Keeps only options of the given labels: `Dec_ed.3=bcq4`, `Enc_ffn.*=bcq3,bcq4`, `*=bcq2`.
    ///
    /// What stands left of `=` is read by `SublayerName.matches(_:)`, or is an item's very name.
    /// - Throws: `AllocationError.badConstraint` where the text cannot be read, no item matches, or an item
    ///   has none of the labels.
    package mutating func restrict(_ text: String) throws(AllocationError) {
        let sides = text.split(separator: "=", omittingEmptySubsequences: false)
        guard sides.count == 2, !sides[0].isEmpty else {
            throw .badConstraint(text, reason: "expected NAME=SCHEME or NAME=SCHEME,SCHEME")
        }
        let labels = sides[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard labels.allSatisfy({ !$0.isEmpty }) else {
            throw .badConstraint(text, reason: "expected a scheme on each side of a comma")
        }
        try keep(matching: String(sides[0]), of: text) { labels.contains($0) }
    }

    /// Keeps only options of at least `bits` bits a code; options that store reals count by their width.
    ///
    /// - Parameter pattern: read by `SublayerName.matches(_:)`.
    /// - Throws: `AllocationError.badConstraint` where no item matches, an item would have no option left, or
    ///   an option's label is no scheme.
    package mutating func requireBits(atLeast bits: Double, matching pattern: String = "*")
        throws(AllocationError)
    {
        let text = "\(pattern): at least \(bits) bits"
        for item in items where Self.matches(item, pattern) {
            for option in item.options where Scheme(option.label) == nil {
                throw .badConstraint(text, reason: "'\(option.label)' of '\(item.name)' is no scheme")
            }
        }
        try keep(matching: pattern, of: text) { label in
            Scheme(label).map { $0.codeBits >= bits } ?? false
        }
    }

    /// Ties every group of items that the preset makes equal. Items whose name is no `SublayerName` with a
    /// depth stay free.
    package mutating func tie(_ preset: TiePreset) {
        var groups: [String: [Int]] = [:]
        var order: [String] = []
        for (index, item) in items.enumerated() {
            guard let name = SublayerName(item.name), let depth = name.depth else { continue }
            let key: String
            switch preset {
            case .types: key = name.kind.rawValue
            case .depth:
                key = "\(name.kind.stack ?? "").\(depth)"
            }
            if groups[key] == nil { order.append(key) }
            groups[key, default: []].append(index)
        }
        ties += order.compactMap { groups[$0] }.filter { $0.count > 1 }
    }

    private mutating func keep(matching pattern: String, of text: String, _ isKept: (String) -> Bool)
        throws(AllocationError)
    {
        let matching = items.indices.filter { Self.matches(items[$0], pattern) }
        guard !matching.isEmpty else {
            throw .badConstraint(text, reason: "no sublayer is called '\(pattern)'")
        }
        var kept = items
        for index in matching {
            kept[index].options.removeAll { !isKept($0.label) }
            guard !kept[index].options.isEmpty else {
                let labels = items[index].options.map(\.label).joined(separator: ", ")
                throw .badConstraint(text, reason: "'\(items[index].name)' has only \(labels)")
            }
        }
        items = kept
    }

    private static func matches(_ item: Item, _ pattern: String) -> Bool {
        item.name == pattern || SublayerName(item.name)?.matches(pattern) ?? (pattern == "*")
    }
}
