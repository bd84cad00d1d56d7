/// What a machine needs for a model's parts, measured once: the kernels of every scheme, and everything that
/// is no product.
public struct LatencyProfile: Codable, Hashable, Sendable {
    /// The version of this format.
    public static let currentSchema = 1

    /// The version that the profile was written in.
    public var schemaVersion = LatencyProfile.currentSchema
    /// Program and version.
    public let tool: String
    /// Where it was measured.
    public let machine: Machine
    /// Products by scheme.
    public let kernels: [KernelTimes]
    /// Everything that is no product, by family.
    public let overheads: [OverheadTimes]

    /// A machine.
    public struct Machine: Codable, Hashable, Sendable {
        /// The processor's name, as the system gives it.
        public let processor: String
        /// The instructions that kernels use.
        public let instructions: String
        /// Seconds of the fixed work that all timings were compared with, while no other process slowed it.
        public let referenceSeconds: Double
        /// By how much the median of that work's seconds exceeded them: what others did on the machine
        /// meanwhile.
        public let disturbance: Double

        /// A machine.
        public init(
            processor: String, instructions: String, referenceSeconds: Double, disturbance: Double
        ) {
            self.processor = processor
            self.instructions = instructions
            self.referenceSeconds = referenceSeconds
            self.disturbance = disturbance
        }
    }

    /// Times of the product of one scheme, one thread.
    public struct KernelTimes: Codable, Hashable, Sendable {
        /// The scheme; others with the same kernel are read from it.
        public let scheme: Scheme
        /// A grid of shapes and token counts, each with the working sets that were measured.
        public let points: [KernelPoint]
        /// Look-ups of one row, by ascending columns.
        public let lookups: [LookupPoint]

        /// Times of a scheme.
        public init(scheme: Scheme, points: [KernelPoint], lookups: [LookupPoint]) {
            self.scheme = scheme
            self.points = points
            self.lookups = lookups
        }

        /// The same with all seconds multiplied.
        public func scaled(by factor: Double) -> KernelTimes {
            KernelTimes(
                scheme: scheme,
                points: points.map {
                    KernelPoint(
                        rows: $0.rows, columns: $0.columns, tokens: $0.tokens,
                        workingSetBytes: $0.workingSetBytes, seconds: factor * $0.seconds,
                        spread: $0.spread, preparationSeconds: factor * $0.preparationSeconds)
                },
                lookups: lookups.map { LookupPoint(columns: $0.columns, seconds: factor * $0.seconds) })
        }
    }

    /// One measured product.
    public struct KernelPoint: Codable, Hashable, Sendable {
        /// Output channels.
        public let rows: Int
        /// Input channels.
        public let columns: Int
        /// Tokens at a time.
        public let tokens: Int
        /// Bytes of weights between two uses of one: what caches have to hold for it to stay there.
        public let workingSetBytes: Int
        /// Median seconds of a product.
        public let seconds: Double
        /// Half the distance of the quartiles, as a part of the median.
        public let spread: Double
        /// The part of `seconds` that prepares the activations, which products with one input can share.
        public let preparationSeconds: Double

        /// A measured product.
        public init(
            rows: Int, columns: Int, tokens: Int, workingSetBytes: Int, seconds: Double, spread: Double,
            preparationSeconds: Double
        ) {
            self.rows = rows
            self.columns = columns
            self.tokens = tokens
            self.workingSetBytes = workingSetBytes
            self.seconds = seconds
            self.spread = spread
            self.preparationSeconds = preparationSeconds
        }
    }

    /// One measured look-up.
    public struct LookupPoint: Codable, Hashable, Sendable {
        /// Channels of an embedding.
        public let columns: Int
        /// Median seconds of decoding one row, rows in no order.
        public let seconds: Double

        /// A measured look-up.
        public init(columns: Int, seconds: Double) {
            self.columns = columns
            self.seconds = seconds
        }
    }

    /// Attention, norms, non-linearities and all else of a family: seconds of each term of `OverheadTerm`.
    public struct OverheadTimes: Codable, Hashable, Sendable {
        /// The family.
        public let modelType: String
        /// Seconds of one unit of each term; terms that are missing cost nothing.
        public let seconds: [String: Double]
        /// Root mean square of the relative errors on the networks that it was fitted to.
        public let spread: Double
        /// Whether the family prepares activations once for all products with them.
        public let sharesPreparations: Bool

        /// Overheads of a family.
        public init(modelType: String, seconds: [String: Double], spread: Double, sharesPreparations: Bool) {
            self.modelType = modelType
            self.seconds = seconds
            self.spread = spread
            self.sharesPreparations = sharesPreparations
        }

        /// The same of models of another type, which differ in settings alone.
        public func named(_ modelType: String) -> OverheadTimes {
            OverheadTimes(
                modelType: modelType, seconds: seconds, spread: spread, sharesPreparations: sharesPreparations
            )
        }

        /// The same with all seconds multiplied.
        public func scaled(by factor: Double) -> OverheadTimes {
            OverheadTimes(
                modelType: modelType, seconds: seconds.mapValues { factor * $0 }, spread: spread,
                sharesPreparations: sharesPreparations)
        }
    }

    /// A profile from its parts.
    public init(tool: String, machine: Machine, kernels: [KernelTimes], overheads: [OverheadTimes]) {
        self.tool = tool
        self.machine = machine
        self.kernels = kernels
        self.overheads = overheads
    }
}

/// What the time that is not spent in products grows with.
public enum OverheadTerm: String, Codable, Hashable, Sendable, CaseIterable {
    /// One for each item.
    case item
    /// Products over all read tokens: allocation and calls.
    case readProducts
    /// Numbers that go in and out of them: biases, residuals, norms.
    case readNumbers
    /// Numbers that go through a non-linearity there.
    case readActivations
    /// Pairs of query and key of read tokens, by head: softmax.
    case readScores
    /// Such pairs, by channel: dot products and sums.
    case readChannels
    /// Products of a step.
    case stepProducts
    /// Numbers that go in and out of them.
    case stepNumbers
    /// Numbers that go through a non-linearity there.
    case stepActivations
    /// Pairs of query and key of a step, by head.
    case stepScores
    /// Such pairs, by channel.
    case stepChannels
    /// Predictions.
    case predictions
    /// Classes or tokens that are scored.
    case scores
}

extension ModelLayout {
    /// How much of each term an item takes.
    ///
    /// - Returns: zero for all terms where the layout does not say what is run.
    public func overhead(of workload: Workload) -> [OverheadTerm: Double] {
        var terms: [OverheadTerm: Double] = [.item: 1, .predictions: Double(workload.predictions)]
        guard work != nil else { return [:] }
        for (index, sublayer) in sublayers.enumerated() {
            let parts = work(of: index)
            for product in parts.products {
                let calls = Double(workload.calls(product.pass))
                let tokens = calls * Double(workload.tokens(product.pass))
                for matrix in product.matrices.map({ sublayer.matrices[$0] }) {
                    switch product.pass {
                    case .predict: terms[.scores, default: 0] += calls * Double(matrix.rows)
                    case .read, .step:
                        let isRead = product.pass == .read
                        terms[isRead ? .readProducts : .stepProducts, default: 0] += calls
                        terms[isRead ? .readNumbers : .stepNumbers, default: 0] +=
                            tokens * Double(matrix.rows + matrix.columns)
                        if product.isActivated {
                            terms[isRead ? .readActivations : .stepActivations, default: 0] +=
                                tokens * Double(matrix.rows)
                        }
                    }
                }
            }
            for attention in parts.attentions {
                let pairs = attention.pairs(workload)
                let isRead = attention.pass == .read
                terms[isRead ? .readScores : .stepScores, default: 0] += pairs * Double(attention.heads)
                terms[isRead ? .readChannels : .stepChannels, default: 0] += pairs * Double(attention.width)
            }
        }
        return terms
    }
}
