import PlanFormat

/// Joules of arithmetic, estimated from the energy of single operations.
///
/// A scheme's description says what a product adds and multiplies (`SchemeFamily.operations`). What memory
/// takes is not in it.
/// - Source: Wang et al. 2023 (BitNet).
package struct Energy: Hashable, Sendable {
    /// Joules of additions.
    package var additions: Double
    /// Joules of multiplications.
    package var multiplications: Double

    /// Joules of additions and multiplications.
    package init(additions: Double = 0, multiplications: Double = 0) {
        self.additions = additions
        self.multiplications = multiplications
    }

    /// All of them.
    package var joules: Double { additions + multiplications }

    /// The sums of both.
    package static func + (left: Energy, right: Energy) -> Energy {
        Energy(
            additions: left.additions + right.additions,
            multiplications: left.multiplications + right.multiplications)
    }

    /// `count` times both.
    package static func * (count: Double, energy: Energy) -> Energy {
        Energy(additions: count * energy.additions, multiplications: count * energy.multiplications)
    }

    /// How a chip is made: what an operation takes.
    package enum Process: String, Codable, Hashable, Sendable, CaseIterable {
        /// 45 nm.
        case nm45 = "45nm"
        /// 7 nm.
        case nm7 = "7nm"
    }

    /// The joules of operations.
    init(_ operations: Operations, _ process: Process) {
        // Picojoules of an addition and a multiplication.
        let (add, multiply) =
            switch (operations.number, process) {
            case (.fp32, .nm45): (0.9, 3.7)
            case (.fp32, .nm7): (0.38, 1.31)
            case (.fp16, .nm45): (0.4, 1.1)
            case (.fp16, .nm7): (0.16, 0.34)
            case (.int8, .nm45): (0.03, 0.2)
            case (.int8, .nm7): (0.007, 0.07)
            }
        self.init(
            additions: 1e-12 * add * operations.additions,
            multiplications: 1e-12 * multiply * operations.multiplications)
    }

    /// Joules of a product of `tokens` activations with a matrix of (`rows`, `columns`) under a scheme.
    package static func product(
        _ scheme: Scheme, rows: Int, columns: Int, tokens: Int, _ process: Process
    ) -> Energy {
        scheme.family.operations(rows: rows, columns: columns, tokens: tokens).reduce(Energy()) {
            $0 + Energy($1, process)
        }
    }
}

extension ModelLayout {
    /// Joules of one item under a plan: products and attention; norms and non-linearities are left out, as in
    /// the source.
    ///
    /// - Returns: nil where the layout does not say what is run.
    package func energy(
        _ schemes: [Scheme], _ workload: Workload, _ process: Energy.Process
    ) -> Energy? {
        guard work != nil else { return nil }
        return schemes.indices.reduce(attentionEnergy(workload, process)) {
            $0 + energy(of: $1, schemes[$1], workload, process)
        }
    }

    /// Joules of the products of one sublayer; zero where the layout does not say what is run.
    package func energy(
        of index: Int, _ scheme: Scheme, _ workload: Workload, _ process: Energy.Process
    ) -> Energy {
        let sublayer = sublayers[index]
        var sum = Energy()
        for product in work(of: index).products {
            for matrix in product.matrices.map({ sublayer.matrices[$0] }) {
                sum =
                    sum + Double(workload.calls(product.pass))
                    * Energy.product(
                        scheme, rows: matrix.rows, columns: matrix.columns,
                        tokens: workload.tokens(product.pass), process)
            }
        }
        return sum
    }

    /// Joules of all products of queries, keys and values, in FP32 whatever the plan.
    package func attentionEnergy(_ workload: Workload, _ process: Energy.Process) -> Energy {
        sublayers.indices.flatMap { work(of: $0).attentions }.reduce(Energy()) {
            let operations = 2 * $1.pairs(workload) * Double($1.width)
            return $0 + Energy(Operations(.fp32, additions: operations, multiplications: operations), process)
        }
    }
}
