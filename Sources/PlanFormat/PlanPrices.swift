/// Why a plan gives each sublayer what it has: what one step up and one step down would change, and what a
/// byte is worth.
public struct PlanPrices: Codable, Hashable, Sendable {
    /// Where the losses come from.
    public enum Basis: String, Codable, Hashable, Sendable {
        /// Cells of the sensitivity table: each sublayer alone, the rest in full precision.
        case table
        /// Steps measured around the plan itself.
        case context
    }

    /// Where the losses come from.
    public let basis: Basis
    /// What one more megabyte (10^6 bytes) would save at the margin, in nats: the multiplier of the byte
    /// budget.
    public let klPerMegabyte: Double
    /// What one more millisecond a mean item would save, were time what is limited, in nats; nil without a
    /// latency profile.
    public let klPerMillisecond: Double?
    /// One per sublayer, in order of execution.
    public let sublayers: [Entry]
    /// Exchanges between two sublayers that fit the budget and whose gain or loss lies within the noise, the
    /// best first.
    public let exchanges: [Exchange]
    /// How many such exchanges there are; `exchanges` has the first of them.
    public let exchangeCount: Int

    /// A sublayer of the plan and its neighbours.
    public struct Entry: Codable, Hashable, Sendable {
        /// The sublayer.
        public let sublayer: SublayerName
        /// What the plan makes of it.
        public let scheme: Scheme
        /// Bytes of its matrices.
        public let bytes: Int
        /// Bits per weight, scales included.
        public let bitsPerWeight: Double
        /// The next cheaper scheme; nil where there is none.
        public let cheaper: SublayerStep?
        /// The next dearer scheme of smaller loss; nil where there is none.
        public let dearer: SublayerStep?
        /// Whether the interval of either step holds the price at the margin: it could have gone the other
        /// way.
        public let isNearTie: Bool
        /// Predicted seconds of a mean item that `cheaper` adds, most often less than none; nil without a
        /// latency profile.
        public let cheaperSeconds: Double?
        /// Predicted seconds of a mean item that `dearer` adds.
        public let dearerSeconds: Double?

        /// An entry from its parts.
        public init(
            sublayer: SublayerName, scheme: Scheme, bytes: Int, bitsPerWeight: Double, cheaper: SublayerStep?,
            dearer: SublayerStep?, isNearTie: Bool, cheaperSeconds: Double? = nil,
            dearerSeconds: Double? = nil
        ) {
            self.sublayer = sublayer
            self.scheme = scheme
            self.bytes = bytes
            self.bitsPerWeight = bitsPerWeight
            self.cheaper = cheaper
            self.dearer = dearer
            self.isNearTie = isNearTie
            self.cheaperSeconds = cheaperSeconds
            self.dearerSeconds = dearerSeconds
        }
    }

    /// One sublayer a step up, another a step down.
    public struct Exchange: Codable, Hashable, Sendable {
        /// The sublayer that gets more.
        public let up: SublayerStep
        /// The sublayer that gets less.
        public let down: SublayerStep
        /// Change of the loss, in nats per prediction; negative where the exchange would be better.
        public var klChange: Double { up.klChange + down.klChange }
        /// Bytes that the model grows by.
        public var bytesChange: Int { up.bytesChange + down.bytesChange }

        /// An exchange of two steps.
        public init(up: SublayerStep, down: SublayerStep) {
            self.up = up
            self.down = down
        }
    }

    /// Prices from their parts.
    public init(
        basis: Basis, klPerMegabyte: Double, klPerMillisecond: Double? = nil, sublayers: [Entry],
        exchanges: [Exchange], exchangeCount: Int
    ) {
        self.basis = basis
        self.klPerMegabyte = klPerMegabyte
        self.klPerMillisecond = klPerMillisecond
        self.sublayers = sublayers
        self.exchanges = exchanges
        self.exchangeCount = exchangeCount
    }
}

extension SublayerStep {
    /// Loss that is given up or saved per megabyte: positive for a step that is worth its bytes.
    public var klPerMegabyte: Double { bytesChange == 0 ? 0 : -klChange / Double(bytesChange) * 1e6 }

    /// Half the width of the 95% interval of `klPerMegabyte`; nil where no error is known.
    public var klPerMegabyteReach: Double? {
        guard let standardError, bytesChange != 0 else { return nil }
        return LossMeasurement.intervalFactor * standardError / Double(abs(bytesChange)) * 1e6
    }
}

extension LossMeasurement {
    /// What a standard error is multiplied by for half a 95% interval of a mean of many sentences: the normal
    /// distribution's quantile.
    public static let intervalFactor = 1.959964

    /// Half the width of the 95% interval of `klNats`; nil where no error is known.
    public var intervalReach: Double? { standardError.map { $0 * LossMeasurement.intervalFactor } }

    /// Whether the intervals of two measurements overlap, so that they cannot be told apart; false where an
    /// error is not known.
    ///
    /// Errors of cells that were measured on the same sentences go together, so that two cells whose
    /// intervals overlap may still differ; cells whose intervals do not overlap do.
    public func overlaps(_ other: LossMeasurement) -> Bool {
        guard let reach = intervalReach, let otherReach = other.intervalReach else { return false }
        return abs(klNats - other.klNats) <= reach + otherReach
    }
}
