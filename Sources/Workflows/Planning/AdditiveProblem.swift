import Allocation
import PlanFormat

extension AllocationProblem {
    /// The summed losses of a sensitivity table's cells under a byte budget: sublayers x candidates.
    ///
    /// - Parameter schemes: the candidates that may be chosen; all of the table's where nil.
    public init(_ table: SensitivityTable, budgetBytes: Int, schemes: [Scheme]? = nil) {
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

/// Checks by the sizes alone that some choice of candidates meets the target.
///
/// - Throws: `AllocationError`, which says what the smallest size is.
func checkReachable(_ target: SizeTarget, layout: ModelLayout, candidates: [Scheme]) throws(AllocationError) {
    let problem = AllocationProblem(
        items: layout.sublayers.map { sublayer in
            AllocationProblem.Item(
                name: sublayer.name.description,
                options: candidates.map { scheme in
                    AllocationProblem.Option(
                        label: scheme.description, loss: 0, costs: [Double(sublayer.sizeInBytes(scheme))])
                })
        },
        budgets: [
            .init(
                name: "bytes", limit: Double(target.bytes(of: layout)), fixedCost: Double(layout.fixedBytes))
        ])
    _ = try problem.solve()
}

/// The plan of least summed loss: what every sublayer loses alone, added up.
///
/// - Throws: `AllocationError`; where the budget is too small it says what the smallest size is.
public func additivePlan(_ table: SensitivityTable, target: SizeTarget) throws -> Plan {
    let budget = target.bytes(of: table.layout)
    let problem = AllocationProblem(table, budgetBytes: budget)
    let solution = try problem.solve()
    var plan = Plan.naming(
        problem.assignment(solution.choice), of: table.layout, model: table.model, name: "sum of losses",
        fit: table.fit)
    plan.predicted = .init(
        bytes: Int(solution.costs[0]), fixedBytes: table.layout.fixedBytes,
        klNats: table.estimatesKL ? solution.loss : nil)
    plan.certificate = .init(solution, budgetBytes: budget)
    plan.provenance = table.provenance
    return plan
}

extension SensitivityTable {
    /// Whether the cells are KL in nats, measured or estimated, and so sums of them predict that of a plan.
    var estimatesKL: Bool { proxy?.estimatesKL ?? true }
}

/// The summed loss that a solver's answer predicts, with its proof.
public struct SolvedLoss: Sendable {
    /// The prediction, in nats per prediction.
    public let klNats: Double
    /// The bound and the gap; nil for a prediction that is no optimum.
    public let certificate: Plan.Certificate?

    /// A prediction without a proof.
    init(klNats: Double) {
        self.klNats = klNats
        certificate = nil
    }

    /// What an answer predicts, its losses counted from `base`.
    init(_ solution: AllocationSolution, budgetBytes: Int, base: Double = 0) {
        klNats = base + solution.loss
        certificate = Plan.Certificate(solution, budgetBytes: budgetBytes, base: base)
    }
}

extension Plan.Certificate {
    /// The certificate of a solver's answer, its losses counted from `base`.
    init(_ solution: AllocationSolution, budgetBytes: Int, base: Double = 0) {
        self.init(
            status: solution.status.rawValue, budgetBytes: budgetBytes, objective: base + solution.objective,
            lowerBound: base + solution.lowerBound, gap: solution.gap)
    }
}
