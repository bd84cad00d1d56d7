extension ModelLayout {
    /// What no model has; nil where there is nothing wrong. The line reads on from the name of what holds the
    /// layout.
    ///
    /// What people and other programs write must not overflow what is counted from it.
    package var impossibility: String? {
        let sizes = 1...(1 << 24)
        for sublayer in sublayers {
            guard sublayer.name.depth ?? 0 < 1 << 16, sublayer.matrices.count <= 1 << 8 else {
                return "sublayer '\(sublayer.name)' is deeper or has more matrices than any model"
            }
            for matrix in sublayer.matrices
            where !sizes.contains(matrix.rows) || !sizes.contains(matrix.columns) {
                return
                    "matrix '\(matrix.tensor)': expected sizes from 1 to \(1 << 24), got \(matrix.rows) x \(matrix.columns)"
            }
        }
        for (index, sublayer) in sublayers.enumerated() {
            let count = sublayer.matrices.count
            let work = work(of: index)
            guard work.products.allSatisfy({ $0.matrices.allSatisfy((0..<count).contains) }),
                work.lookups.isEmpty || count > 0,
                work.attentions.allSatisfy({ sizes.contains($0.heads) && sizes.contains($0.width) }),
                work.attentions.allSatisfy({ $0.window.map(sizes.contains) ?? true })
            else { return "the work of '\(sublayer.name.kind)' is not that of \(count) matrices" }
        }
        guard !sublayers.isEmpty, sublayers.count < 1 << 16 else {
            return "has \(sublayers.count) sublayers"
        }
        let counts =
            [("fixedParameters", fixedParameters), ("fixedBytes", fixedBytes)]
            + sublayers.map { ("vectors", $0.vectorCount) }
        for (name, count) in counts where !(0..<1 << 40).contains(count) {
            return "'\(name)': \(count) is impossible"
        }
        return nil
    }
}

extension Workload {
    /// Whether no count is negative, or more than any item has.
    package var isPossible: Bool {
        [read, steps, predictions, sequences].allSatisfy { (0...1 << 24).contains($0) }
    }
}
