import BitplanAllocation
import BitplanPlanning

/// What a plan is made for: budgets, what sublayers may become, and what is minimized.
public struct Target: Sendable {
    /// Sublayers that become the same.
    public enum Tie: String, Hashable, Sendable, CaseIterable {
        /// All depths of a kind.
        case types
        /// All kinds of a depth in one stack.
        case depth
    }

    /// Most bytes of all tensors.
    public var size: SizeTarget?
    /// Most seconds of a mean item; needs `profile`.
    public var seconds: Double?
    /// The machine's times, which `profile` measures.
    public var profile: LatencyProfile?
    /// Most joules of a mean item's arithmetic.
    public var joules: Double?
    /// Schemes that sublayers may take, by name, kind or pattern: `Dec_ed.3`, `Enc_ffn`, `*`.
    public var allowed: [(sublayers: String, schemes: [Scheme])]
    /// Fewest bits of a code, 1.5 for instance.
    public var minimumBits: Double?
    /// Sublayers that become the same.
    public var tie: Tie?
    /// The other way round: the least of a cost with a loss (KL, nats per prediction) of at most this.
    public var least: (cost: Plan.Cost, maximumLoss: Double)?

    /// The least loss within a size, or within anything else that is set later.
    public init(size: SizeTarget? = nil) {
        self.size = size
        allowed = []
    }

    /// What the planner takes.
    func target() throws -> PlanTarget {
        var target = PlanTarget(size: size)
        target.seconds = seconds
        target.profile = profile
        target.joules = joules
        target.restrictions = allowed.map { sublayers, schemes in
            "\(sublayers)=\(schemes.map(\.description).joined(separator: ","))"
        }
        target.minimumBits = minimumBits
        target.tie =
            switch tie {
            case .types: .types
            case .depth: .depth
            case nil: nil
            }
        if let least { target.goal = .least(least.cost, maximumLoss: least.maximumLoss) }
        try target.check()
        return target
    }
}
