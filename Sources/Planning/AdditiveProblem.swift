import BitplanAllocation
import PlanFormat

extension AllocationProblem {
    /// The summed losses of a sensitivity table's cells under a byte budget: sublayers x candidates; with the
    /// schemes of each sublayer's options.
    static func additive(
        _ table: SensitivityTable, budgetBytes: Int
    ) -> (problem: AllocationProblem, options: [[Scheme]]) {
        let cells = table.layout.sublayers.map { sublayer in
            table.schemes(of: sublayer.name).compactMap { table.cell(sublayer.name, $0) }
        }
        let items = zip(table.layout.sublayers, cells).map { sublayer, cells in
            Item(
                name: sublayer.name.description,
                options: cells.map { cell in
                    Option(
                        label: cell.scheme.description, loss: cell.measurement.klNats,
                        costs: [Double(cell.bytes)])
                })
        }
        let bytes = Budget(
            name: "bytes", limit: Double(budgetBytes), fixedCost: Double(table.layout.fixedBytes))
        return (AllocationProblem(items: items, budgets: [bytes]), cells.map { $0.map(\.scheme) })
    }
}

extension PlanSpace {
    /// The space of a table's candidates.
    ///
    /// - Throws: as `init(_:layout:modelType:candidates:workload:)`.
    package init(_ target: PlanTarget, _ table: SensitivityTable) throws {
        try self.init(
            target, layout: table.layout, modelType: table.model.type, candidates: table.candidates,
            workload: table.workload)
    }

    /// The summed losses of a table's cells, over the groups.
    func problem(_ table: SensitivityTable, schemes: [Scheme]? = nil) throws -> SchemeProblem {
        try problem(schemes: schemes) { table.cell(layout.sublayers[$0].name, $1)?.measurement.klNats }
    }

    /// The optimum of a table's summed losses, with its proof.
    ///
    /// - Throws: `AllocationError`; where a limit cannot be met it names the budget at fault and says by how
    ///   much.
    func solved(_ table: SensitivityTable, schemes: [Scheme]? = nil) throws -> (Assignment, SolvedLoss) {
        let (chosen, solution) = try problem(table, schemes: schemes).solve()
        return (assignment(chosen), SolvedLoss(solution, self, minimized: goal.cost))
    }
}

/// The plan of least summed loss (what every sublayer loses alone, added up), or of the least cost with that
/// loss.
///
/// - Throws: `AllocationError`; where a limit cannot be met it names the budget at fault and says by how
///   much. `PlanningError` and `LatencyError` as `PlanSpace`.
package func additivePlan(_ table: SensitivityTable, target: PlanTarget) throws -> Plan {
    let space = try PlanSpace(target, table).settled(table)
    let (schemes, proof) = try space.solved(table)
    var plan = Plan.naming(
        schemes, of: table.layout, model: table.model, origin: .sumOfLosses, fit: table.fit)
    plan.predicted = space.prediction(schemes, klNats: table.estimatesKL ? proof.klNats : nil)
    plan.certificate = proof.certificate
    plan.provenance = table.provenance
    return plan
}

extension SensitivityTable {
    /// Whether the cells are KL in nats, measured or estimated, and so sums of them predict that of a plan.
    var estimatesKL: Bool { proxy?.estimatesKL ?? true }
}

/// The summed loss that a solver's answer predicts, with its proof.
package struct SolvedLoss: Sendable {
    /// The prediction, in nats per prediction.
    package let klNats: Double
    /// Where what is measured is expected in 95 of 100 cases; nil where that is not known.
    package let interval: Interval?
    /// The bound and the gap; nil for a prediction that is no optimum.
    package let certificate: Plan.Certificate?

    /// A prediction without a proof.
    init(klNats: Double, interval: Interval? = nil) {
        self.klNats = klNats
        self.interval = interval
        certificate = nil
    }

    /// What an answer predicts, its losses counted from `base`.
    init(
        _ solution: AllocationSolution, _ space: PlanSpace, base: Double = 0,
        minimized: Plan.Cost? = nil, interval: Interval? = nil
    ) {
        klNats = base + solution.loss
        self.interval = interval
        certificate = Plan.Certificate(solution, space, base: base, minimized: minimized)
    }
}

extension Plan.Certificate {
    /// The certificate of a solver's answer, its losses counted from `base`.
    init(
        _ solution: AllocationSolution, _ space: PlanSpace, base: Double, minimized: Plan.Cost?
    ) {
        var limits = Limits(loss: space.goal.maximumLoss)
        limits.seconds = space.limit(of: .seconds)
        limits.joules = space.limit(of: .joules)
        let offset = minimized == nil ? base : 0
        self.init(
            status: solution.status, budgetBytes: space.budgetBytes,
            objective: offset + solution.objective, lowerBound: offset + solution.lowerBound,
            gap: solution.gap, minimized: minimized, limits: limits == Limits() ? nil : limits)
    }
}
