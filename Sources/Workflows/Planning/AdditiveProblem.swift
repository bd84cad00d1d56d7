import BitplanAllocation
import BitplanSensitivity
import PlanFormat

extension AllocationProblem {
    /// The summed losses of a sensitivity table's cells under a byte budget: sublayers x candidates.
    ///
    /// - Parameter schemes: the candidates that may be chosen; all of the table's where nil.
    package init(_ table: SensitivityTable, budgetBytes: Int, schemes: [Scheme]? = nil) {
        self.init(
            items: table.layout.sublayers.map { sublayer in
                AllocationProblem.Item(
                    name: sublayer.name.description,
                    options: (schemes ?? table.candidates).compactMap { scheme in
                        table.cell(sublayer.name, scheme).map { cell in
                            AllocationProblem.Option(
                                label: scheme.description, loss: cell.measurement.klNats,
                                costs: [Double(cell.bytes)])
                        }
                    })
            },
            budgets: [
                .init(name: "bytes", limit: Double(budgetBytes), fixedCost: Double(table.layout.fixedBytes))
            ])
    }

    /// The schemes of a choice.
    func assignment(_ choice: [Int]) -> [Scheme] {
        zip(items, choice).compactMap { Scheme($0.options[$1].label) }
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
    func problem(_ table: SensitivityTable, schemes: [Scheme]? = nil) throws -> AllocationProblem {
        try problem(schemes: schemes) { table.cell(layout.sublayers[$0].name, $1)?.measurement.klNats }
    }

    /// The optimum of a table's summed losses, with its proof.
    ///
    /// - Throws: `AllocationError`; where a limit cannot be met it names the budget at fault and says by how much.
    func solved(_ table: SensitivityTable, schemes: [Scheme]? = nil) throws -> (Assignment, SolvedLoss) {
        let problem = try problem(table, schemes: schemes)
        let solution = try problem.solve()
        return (assignment(problem, solution.choice), SolvedLoss(solution, self, minimized: goal.cost))
    }
}

/// The plan of least summed loss (what every sublayer loses alone, added up), or of the least cost with that loss.
///
/// - Throws: `AllocationError`; where a limit cannot be met it names the budget at fault and says by how much. `UsageError` and
///   `LatencyError` as `PlanSpace`.
package func additivePlan(_ table: SensitivityTable, target: PlanTarget) throws -> Plan {
    let space = try PlanSpace(target, table)
    let (schemes, proof) = try space.solved(table)
    var plan = Plan.naming(
        schemes, of: table.layout, model: table.model, name: "sum of losses", fit: table.fit)
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
    /// The bound and the gap; nil for a prediction that is no optimum.
    package let certificate: Plan.Certificate?

    /// A prediction without a proof.
    init(klNats: Double) {
        self.klNats = klNats
        certificate = nil
    }

    /// What an answer predicts, its losses counted from `base`.
    init(
        _ solution: AllocationSolution, _ space: PlanSpace, base: Double = 0,
        minimized: PlanTarget.Cost? = nil
    ) {
        klNats = base + solution.loss
        certificate = Plan.Certificate(solution, space, base: base, minimized: minimized)
    }
}

extension Plan.Certificate {
    /// The certificate of a solver's answer, its losses counted from `base`.
    init(
        _ solution: AllocationSolution, _ space: PlanSpace, base: Double, minimized: PlanTarget.Cost?
    ) {
        var limits: [String: Double] = [:]
        for budget in space.budgets.dropFirst() { limits[budget.name] = budget.limit }
        if let loss = space.goal.maximumLoss { limits["loss"] = loss }
        let offset = minimized == nil ? base : 0
        self.init(
            status: solution.status.rawValue, budgetBytes: space.budgetBytes,
            objective: offset + solution.objective, lowerBound: offset + solution.lowerBound,
            gap: solution.gap, minimized: minimized?.rawValue,
            limits: limits.isEmpty ? nil : limits)
    }
}
