/// Models beside each other on the same data: what `auto` leaves of its evaluations, without what depends on
/// the machine.
public struct ComparisonTable: Codable, Hashable, Sendable {
    /// The version of this format.
    public static let currentSchema = 1

    /// The version that the file was written in.
    public var schemaVersion = ComparisonTable.currentSchema
    /// The metrics' settings, as the field writes them; nil where the data have no references, so that no
    /// metric was measured.
    public let metric: String?
    /// Items that were measured.
    public let sentences: Int
    /// Whether they are others than those that were planned on.
    public let isHeldOut: Bool
    /// The size that was asked for; nil where none was.
    public let budgetBytes: Int?
    /// Bytes of what stands beside the tensors in the plan's packed directory: tokenizer, configuration,
    /// plan; nil where that is not known.
    public let besideBytes: Int?
    /// Full precision first, the plan last.
    public let rows: [Row]

    /// A model.
    public struct Row: Codable, Hashable, Sendable {
        /// `full precision`, `uniform bcq2`, `plan (in context)`...
        public let name: String
        /// Bytes of all tensors.
        public let bytes: Int
        /// Mean KL(full precision || model) per prediction, in nats; nil for the model that is compared with.
        public let klNats: Double?
        /// The task's metrics by name.
        public let metrics: [String: Double]

        /// A row from its parts.
        public init(name: String, bytes: Int, klNats: Double?, metrics: [String: Double]) {
            self.name = name
            self.bytes = bytes
            self.klNats = klNats
            self.metrics = metrics
        }
    }

    /// A comparison from its parts.
    public init(
        metric: String?, sentences: Int, isHeldOut: Bool, budgetBytes: Int?, besideBytes: Int? = nil,
        rows: [Row]
    ) {
        self.besideBytes = besideBytes
        self.metric = metric
        self.sentences = sentences
        self.isHeldOut = isHeldOut
        self.budgetBytes = budgetBytes
        self.rows = rows
    }
}
