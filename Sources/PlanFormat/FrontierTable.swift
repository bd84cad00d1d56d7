/// The trade-off of bytes against summed loss that a sensitivity table gives, plans people would compare
/// with, and what a byte is worth at the plan that was chosen.
public struct FrontierTable: Codable, Hashable, Sendable {
    /// The version of this format.
    public static let currentSchema = 1

    /// The version that the file was written in.
    public var schemaVersion = FrontierTable.currentSchema
    /// The weights that were measured.
    public let model: ModelIdentity
    /// Program, data and metric of the sensitivity table.
    public let provenance: Provenance
    /// What stands for the loss, as `klNats`, whatever its unit; nil where KL was measured.
    public let proxy: ProxySignal?
    /// Bytes of the model in FP32.
    public let fullPrecisionBytes: Int
    /// Which points there are.
    public let extent: Extent
    /// By ascending bytes and descending loss.
    public let points: [Point]
    /// The index of the knee: the point farthest below the straight line between the ends; nil with fewer
    /// than three points.
    public let knee: Int?
    /// Uniform plans, presets and, where one was given, the chosen plan.
    public let plans: [PlanPoint]
    /// What bytes are worth at the chosen plan; nil where none was given.
    public let prices: PlanPrices?

    /// Which points a frontier holds.
    public enum Extent: String, Codable, Hashable, Sendable {
        /// Every Pareto-optimal pair of bytes and loss.
        case complete
        /// The vertices of the convex hull, and exact optima at the sizes asked for.
        case sampled
    }

    /// One plan of the frontier.
    public struct Point: Codable, Hashable, Sendable {
        /// Bytes of all tensors, those that stay FP32 included.
        public let bytes: Int
        /// Summed loss of the sublayers, in nats per prediction.
        public let klNats: Double
        /// Schemes by sublayer, for the points that a reader may want to take: vertices of the hull, the
        /// knee, sizes asked for.
        public let sublayers: [String: Scheme]?

        /// A point from its parts.
        public init(bytes: Int, klNats: Double, sublayers: [String: Scheme]?) {
            self.bytes = bytes
            self.klNats = klNats
            self.sublayers = sublayers
        }
    }

    /// A plan beside the frontier.
    public struct PlanPoint: Codable, Hashable, Sendable {
        /// What kind of plan.
        public enum Kind: String, Codable, Hashable, Sendable {
            /// One scheme for all sublayers.
            case uniform
            /// Chosen by hand, as a paper has it.
            case preset
            /// The frontier's own optimum at a size that was asked for.
            case optimum
            /// A plan that was measured beside the chosen one.
            case measured
            /// The plan that was given.
            case chosen
        }

        /// How it came about; `name` in files.
        public let origin: PlanOrigin
        /// What kind of plan.
        public let kind: Kind
        /// Bytes of all tensors, those that stay FP32 included.
        public let bytes: Int
        /// Summed loss of its sublayers; nil where the table lacks a cell for it.
        public let predictedKL: Double?
        /// Measured loss, where the given plan's file has it.
        public let measuredKL: Double?
        /// The 95% interval of `measuredKL`; nil where none is known.
        public let measuredInterval: Interval?
        /// The least summed loss of any plan of at most these bytes, as far as the frontier's points tell;
        /// nil where there is none.
        public let leastKL: Double?

        private enum CodingKeys: String, CodingKey {
            case origin = "name"
            case kind, bytes, predictedKL, measuredKL, measuredInterval, leastKL
        }

        /// A plan from its parts.
        public init(
            origin: PlanOrigin, kind: Kind, bytes: Int, predictedKL: Double?, measuredKL: Double?,
            measuredInterval: Interval? = nil, leastKL: Double?
        ) {
            self.origin = origin
            self.kind = kind
            self.bytes = bytes
            self.predictedKL = predictedKL
            self.measuredKL = measuredKL
            self.measuredInterval = measuredInterval
            self.leastKL = leastKL
        }
    }

    /// A frontier from its parts.
    public init(
        model: ModelIdentity, provenance: Provenance, proxy: ProxySignal? = nil, fullPrecisionBytes: Int,
        extent: Extent,
        points: [Point],
        knee: Int?, plans: [PlanPoint], prices: PlanPrices?
    ) {
        self.model = model
        self.provenance = provenance
        self.proxy = proxy
        self.fullPrecisionBytes = fullPrecisionBytes
        self.extent = extent
        self.points = points
        self.knee = knee
        self.plans = plans
        self.prices = prices
    }
}
