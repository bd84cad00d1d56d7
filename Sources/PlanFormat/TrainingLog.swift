/// What a run of training did: settings, data, and the losses on the way.
public struct TrainingLog: Codable, Hashable, Sendable {
    /// The weights that the run began with.
    public var model: ModelIdentity
    /// The plan by name.
    public var plan: String
    /// Bytes of the packed file.
    public var bytes: Int
    /// What was learned.
    public var recipe: String
    /// Everything that the run depends on beside model, plan and data, by name.
    public var settings: [String: String]
    /// Items that were learned from.
    public var items: Int
    /// Items that the best parameters were chosen by.
    public var heldOutItems: Int
    /// SHA-256 of the data.
    public var dataSHA256: String
    /// SHA-256 of the held-out data; nil where they were a part of the data.
    public var heldOutSHA256: String?
    /// Steps of the run.
    public var steps: Int
    /// What was measured on the way, the start first.
    public var points: [Point]
    /// The step whose parameters are written.
    public var bestStep: Int
    /// Held-out KL of the packed model, by its own kernels.
    public var packedHeldOut: Double?
    /// Held-out metric of the start and of what was written; nil where none was measured.
    public var metric: Metric?

    /// A measurement of a run.
    public struct Point: Codable, Hashable, Sendable {
        /// Steps that were done.
        public let step: Int
        /// KL on held-out items, in nats per prediction.
        public let heldOut: Double
        /// Cross-entropy to their labels, in nats per label; nil where the run learns from KL.
        public let heldOutCrossEntropy: Double?
        /// Mean loss of the batches since the point before, KL or cross-entropy; nil for the start.
        public let training: Double?
        /// Seconds of process time since the start.
        public let cpuSeconds: Double
        /// Seconds of the clock.
        public let seconds: Double

        /// A point from its parts.
        public init(
            step: Int, heldOut: Double, heldOutCrossEntropy: Double? = nil, training: Double?,
            cpuSeconds: Double, seconds: Double
        ) {
            self.step = step
            self.heldOut = heldOut
            self.heldOutCrossEntropy = heldOutCrossEntropy
            self.training = training
            self.cpuSeconds = cpuSeconds
            self.seconds = seconds
        }
    }

    /// The task's metric on held-out items.
    public struct Metric: Codable, Hashable, Sendable {
        /// The metric's name.
        public let name: String
        /// Of the codes as they were fitted.
        public let start: Double
        /// Of the packed model that was written.
        public let end: Double

        /// A metric before and after.
        public init(name: String, start: Double, end: Double) {
            self.name = name
            self.start = start
            self.end = end
        }
    }

    /// A log from its parts.
    public init(
        model: ModelIdentity, plan: String, bytes: Int, recipe: String, settings: [String: String],
        items: Int,
        heldOutItems: Int, dataSHA256: String, heldOutSHA256: String?, steps: Int, points: [Point] = [],
        bestStep: Int = 0, metric: Metric? = nil
    ) {
        self.model = model
        self.plan = plan
        self.bytes = bytes
        self.recipe = recipe
        self.settings = settings
        self.items = items
        self.heldOutItems = heldOutItems
        self.dataSHA256 = dataSHA256
        self.heldOutSHA256 = heldOutSHA256
        self.steps = steps
        self.points = points
        self.bestStep = bestStep
        self.metric = metric
    }
}
