import PlanFormat

/// Joules of arithmetic, estimated from the energy of single operations.
///
/// A product of (m, n) activations with (n, p) weights adds m (n - 1) p times and multiplies m n p times. Binary codes add for every plane
/// and multiply only by their alphas; one-bit weights multiply only by their scales. What memory takes is not in it.
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

    /// What is added and multiplied.
    enum Arithmetic {
        case fp32, fp16, int8

        /// Picojoules of an addition and a multiplication.
        func picojoules(_ process: Process) -> (add: Double, multiply: Double) {
            switch (self, process) {
            case (.fp32, .nm45): (0.9, 3.7)
            case (.fp32, .nm7): (0.38, 1.31)
            case (.fp16, .nm45): (0.4, 1.1)
            case (.fp16, .nm7): (0.16, 0.34)
            case (.int8, .nm45): (0.03, 0.2)
            case (.int8, .nm7): (0.007, 0.07)
            }
        }
    }

    /// Operations of one kind.
    init(additions: Double, multiplications: Double, _ arithmetic: Arithmetic, _ process: Process) {
        let picojoules = arithmetic.picojoules(process)
        self.init(
            additions: 1e-12 * picojoules.add * additions,
            multiplications: 1e-12 * picojoules.multiply * multiplications)
    }

    /// Joules of a product of `tokens` activations with a matrix of (`rows`, `columns`) under a scheme.
    ///
    /// Schemes that only store weights in few bits (integers, NF4, codebooks, 8-bit index) compute as FP32 does.
    package static func product(
        _ scheme: Scheme, rows: Int, columns: Int, tokens: Int, _ process: Process
    ) -> Energy {
        let (m, n, p) = (Double(tokens), Double(columns), Double(rows))
        func dense(_ arithmetic: Arithmetic) -> Energy {
            Energy(additions: m * (n - 1) * p, multiplications: m * n * p, arithmetic, process)
        }
        /// Sums of signed activations, one for every plane and group, each times its alpha.
        func planes(_ bits: Double, _ groups: Double) -> Energy {
            Energy(
                additions: m * p * (bits * n - 1), multiplications: m * p * bits * groups, .fp32, process)
        }
        /// Inputs are scaled to be rounded, outputs are scaled back.
        let scaling = Energy(additions: 0, multiplications: m * p + m * n, .fp32, process)
        switch scheme {
        case .full(.fp16): return dense(.fp16)
        case .full(.fp32), .integer, .normalFloat4, .productCodes, .index8: return dense(.fp32)
        case .binaryCodes(let bits, let group, _):
            return planes(Double(bits), group.map { (n / Double($0)).rounded(.up) } ?? 1)
        case .clusteredCodes(let clusters, let ratio, _):
            let sizes = Scheme.clusterSizes(rows: rows, clusters: clusters, ratio: ratio)
            return sizes.enumerated().reduce(Energy()) {
                $0
                    + product(
                        .bcq(clusters - $1.offset), rows: $1.element, columns: columns, tokens: tokens,
                        process)
            }
        case .integer8Activations: return dense(.int8) + scaling
        case .sign(let isScaled):
            return Energy(
                additions: m * (n - 1) * p, multiplications: 0, .int8, process)
                + Energy(additions: 0, multiplications: isScaled ? m * p : 0, .fp32, process)
        case .bitLinear:
            return Energy(additions: m * (n - 1) * p, multiplications: 0, .int8, process) + scaling
        }
    }
}

extension ModelLayout {
    /// Joules of one item under a plan: products and attention; norms and non-linearities are left out, as in the source.
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
        for product in work?[sublayer.name].products ?? [] {
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
        sublayers.flatMap { work?[$0.name].attentions ?? [] }.reduce(Energy()) {
            let operations = 2 * $1.pairs(workload) * Double($1.width)
            return $0 + Energy(additions: operations, multiplications: operations, .fp32, process)
        }
    }
}
