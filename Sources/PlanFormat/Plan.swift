/// The bits of every sublayer: what the planner leaves for the engine.
///
/// A person can write one by hand: `model` and `sublayers` suffice, and a key may be a pattern (`Enc_ffn.*`,
/// `Dec_dd`, `*`).
public struct Plan: Codable, Hashable, Sendable {
    /// The version of this format.
    public static let currentSchema = 1

    /// The version that the plan was written in.
    public var schemaVersion: Int
    /// The weights that the plan is for.
    public var model: ModelIdentity
    /// How the plan came about; `name` in files.
    public var origin: PlanOrigin?
    /// How codes are fitted; alternating where nothing is said.
    public var fit: CodeFit?
    /// Schemes by sublayer or pattern; the most specific key wins.
    public var sublayers: [String: Scheme]
    /// What the planner expects of it.
    public var predicted: Prediction?
    /// The solver's proof.
    public var certificate: Certificate?
    /// What was measured before the plan was written: this plan and those that it was compared with.
    public var measured: [MeasuredPlan]?
    /// Uniform plans and presets that are larger than the budget, measured on the same data for comparison.
    public var overBudget: [MeasuredPlan]?
    /// Rounds of planning in context, in order.
    public var rounds: [Round]?
    /// What one step of one sublayer changes, measured around this plan.
    public var steps: [SublayerStep]?
    /// Program, data and metric.
    public var provenance: Provenance?
    /// What training made of it; nil for codes as they were fitted.
    public var tuning: Tuning?

    /// A run of training behind the plan.
    public struct Tuning: Codable, Hashable, Sendable {
        /// What was learned.
        public let recipe: String
        /// Steps that led to the parameters.
        public let steps: Int
        /// SHA-256 of what was learned from.
        public let dataSHA256: String
        /// Where the order of the items started.
        public let seed: UInt64
        /// KL on held-out items before, in nats per prediction.
        public let klBefore: Double
        /// KL on held-out items after.
        public let klAfter: Double

        /// A run from its parts.
        public init(
            recipe: String, steps: Int, dataSHA256: String, seed: UInt64, klBefore: Double, klAfter: Double
        ) {
            self.recipe = recipe
            self.steps = steps
            self.dataSHA256 = dataSHA256
            self.seed = seed
            self.klBefore = klBefore
            self.klAfter = klAfter
        }
    }

    /// Bytes and loss as predicted.
    public struct Prediction: Codable, Hashable, Sendable {
        /// Bytes of the packed file.
        public let bytes: Int
        /// Bytes of its header, which no scheme changes.
        public let fixedBytes: Int
        /// Summed loss of the sublayers; nil for a plan that no table predicts.
        public let klNats: Double?
        /// Where the loss, measured, is expected in 95 of 100 cases; nil where that is not known.
        public let klInterval: Interval?
        /// Seconds of an item on the machine of the profile; nil where none was given.
        public let seconds: Double?
        /// Joules of an item's arithmetic; nil where it was not asked for.
        public let joules: Double?

        /// A prediction from its parts.
        public init(
            bytes: Int, fixedBytes: Int, klNats: Double?, klInterval: Interval? = nil,
            seconds: Double? = nil, joules: Double? = nil
        ) {
            self.klInterval = klInterval
            self.bytes = bytes
            self.fixedBytes = fixedBytes
            self.klNats = klNats
            self.seconds = seconds
            self.joules = joules
        }
    }

    /// What a plan costs.
    public enum Cost: String, Codable, Hashable, Sendable, CaseIterable {
        /// Bytes of all tensors.
        case bytes
        /// Seconds of an item, one thread.
        case seconds
        /// Joules of an item's arithmetic.
        case joules
    }

    /// What the solver proves: no choice within the budget has a summed loss below `lowerBound`.
    public struct Certificate: Codable, Hashable, Sendable {
        /// Whether the solver proves its answer.
        public let status: Status
        /// Most bytes of all tensors.
        public let budgetBytes: Int
        /// Summed loss of the choice, in nats.
        public let objective: Double
        /// No choice of the solver's problem has a smaller summed loss.
        public let lowerBound: Double
        /// `objective - lowerBound`: 0 where the status is `optimal`.
        public let gap: Double
        /// What was minimized where that was not the loss; the objective and its bound are of it.
        public let minimized: Cost?
        /// Limits beside the bytes; nil where there are none.
        public let limits: Limits?

        /// How sure the answer of a solver is.
        public enum Status: String, Codable, Hashable, Sendable {
            /// Proved: no plan has a smaller objective, but for rounding.
            case optimal
            /// The best found when the effort was used up; the truth lies between `lowerBound` and
            /// `objective`.
            case feasible
        }

        /// What a plan may cost and lose at most, beside its bytes.
        public struct Limits: Codable, Hashable, Sendable {
            /// Seconds of an item.
            public var seconds: Double?
            /// Joules of an item's arithmetic.
            public var joules: Double?
            /// Nats per prediction.
            public var loss: Double?

            /// Limits, where there are any.
            public init(seconds: Double? = nil, joules: Double? = nil, loss: Double? = nil) {
                self.seconds = seconds
                self.joules = joules
                self.loss = loss
            }
        }

        /// A certificate from its parts.
        public init(
            status: Status, budgetBytes: Int, objective: Double, lowerBound: Double, gap: Double,
            minimized: Cost? = nil, limits: Limits? = nil
        ) {
            self.minimized = minimized
            self.limits = limits
            self.status = status
            self.budgetBytes = budgetBytes
            self.objective = objective
            self.lowerBound = lowerBound
            self.gap = gap
        }
    }

    /// A plan as it was measured.
    public struct MeasuredPlan: Codable, Hashable, Sendable {
        /// How it came about; `name` in files.
        public let origin: PlanOrigin
        /// Bytes of all tensors.
        public let bytes: Int
        /// Mean KL per prediction, in nats.
        public let klNats: Double
        /// The 95% interval of the KL, from the items it was measured on; nil where they are too few.
        public let klInterval: Interval?
        /// The task's metric.
        public let metric: Double?
        /// The 95% interval of the metric; nil where the items are too few.
        public let metricInterval: Interval?
        /// How it differs from the best uniform plan within the budget; nil for that plan itself, and where
        /// there is none.
        public let against: PairedComparison?
        /// Why it was not written although it has less KL than the written plan; nil where there was no
        /// reason.
        public let setAside: SetAside?

        /// Why a plan of less KL is not written.
        public enum SetAside: String, Codable, Hashable, Sendable {
            /// The task's metric is worse than that of the best uniform plan, beyond its noise.
            case metric
        }

        private enum CodingKeys: String, CodingKey {
            case origin = "name"
            case bytes, klNats, klInterval, metric, metricInterval, against, setAside
        }

        /// A measured plan.
        public init(
            origin: PlanOrigin, bytes: Int, klNats: Double, klInterval: Interval? = nil, metric: Double?,
            metricInterval: Interval? = nil, against: PairedComparison? = nil, setAside: SetAside? = nil
        ) {
            self.origin = origin
            self.bytes = bytes
            self.klNats = klNats
            self.klInterval = klInterval
            self.metric = metric
            self.metricInterval = metricInterval
            self.against = against
            self.setAside = setAside
        }
    }

    /// A round of planning in context: what the cells around a plan predicted of the next, and what it
    /// measured.
    public struct Round: Codable, Hashable, Sendable {
        /// Sublayers that the round's plan changes.
        public let moves: Int
        /// KL of the plan it starts from plus the summed changes of the moved sublayers, in nats per
        /// prediction.
        public let predictedKL: Double
        /// Where the measurement was expected in 95 of 100 cases; nil where that was not known.
        public let predictedInterval: Interval?
        /// KL of the plan, in nats per prediction.
        public let measuredKL: Double
        /// Whether the plan was better than the best before it.
        public let isAccepted: Bool

        /// A round from its parts.
        public init(
            moves: Int, predictedKL: Double, predictedInterval: Interval? = nil, measuredKL: Double,
            isAccepted: Bool
        ) {
            self.moves = moves
            self.predictedInterval = predictedInterval
            self.predictedKL = predictedKL
            self.measuredKL = measuredKL
            self.isAccepted = isAccepted
        }
    }

    /// A plan of these schemes.
    public init(
        model: ModelIdentity, origin: PlanOrigin? = nil, fit: CodeFit? = nil, sublayers: [String: Scheme],
        predicted: Prediction? = nil, certificate: Certificate? = nil, measured: [MeasuredPlan]? = nil,
        overBudget: [MeasuredPlan]? = nil, rounds: [Round]? = nil, steps: [SublayerStep]? = nil,
        provenance: Provenance? = nil, tuning: Tuning? = nil
    ) {
        schemaVersion = Plan.currentSchema
        self.model = model
        self.origin = origin
        self.fit = fit
        self.sublayers = sublayers
        self.predicted = predicted
        self.certificate = certificate
        self.measured = measured
        self.overBudget = overBudget
        self.rounds = rounds
        self.steps = steps
        self.provenance = provenance
        self.tuning = tuning
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case schemaVersion, model
        case origin = "name"
        case fit, sublayers, predicted, certificate, measured, overBudget, rounds,
            steps
        case provenance
        case tuning
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads a plan; `schemaVersion` may be left out by hand.
    ///
    /// - Throws: `DecodingError` where a key is unknown or of the wrong type, or the version is not
    ///   `currentSchema`.
    public init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue)
        {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "unknown key '\(key.stringValue)'"))
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        schemaVersion = try container.decodeIfPresent(Int.self, forKey: .schemaVersion) ?? Plan.currentSchema
        guard schemaVersion == Plan.currentSchema else {
            throw DecodingError.dataCorruptedError(
                forKey: .schemaVersion, in: container,
                debugDescription:
                    "schemaVersion \(schemaVersion) is not supported, expected \(Plan.currentSchema)")
        }
        model = try container.decode(ModelIdentity.self, forKey: .model)
        origin = try container.decodeIfPresent(PlanOrigin.self, forKey: .origin)
        fit = try container.decodeIfPresent(CodeFit.self, forKey: .fit)
        sublayers = try container.decode([String: Scheme].self, forKey: .sublayers)
        predicted = try container.decodeIfPresent(Prediction.self, forKey: .predicted)
        certificate = try container.decodeIfPresent(Certificate.self, forKey: .certificate)
        measured = try container.decodeIfPresent([MeasuredPlan].self, forKey: .measured)
        overBudget = try container.decodeIfPresent([MeasuredPlan].self, forKey: .overBudget)
        rounds = try container.decodeIfPresent([Round].self, forKey: .rounds)
        steps = try container.decodeIfPresent([SublayerStep].self, forKey: .steps)
        provenance = try container.decodeIfPresent(Provenance.self, forKey: .provenance)
        tuning = try container.decodeIfPresent(Tuning.self, forKey: .tuning)
    }
}
