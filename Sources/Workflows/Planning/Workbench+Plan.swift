import Allocation
import Models
import PlanFormat
import Sensitivity

/// A planned model with everything that was measured on the way.
public struct PlanningResult: Sendable {
    /// The best measured plan, ready to be written.
    public let plan: Plan
    /// The rounds of planning in context: predicted against measured.
    public let rounds: [PlanningRound]
    /// Measurements that were made after the table.
    public let measurements: Int
}

/// One round of planning in context.
public struct PlanningRound: Sendable {
    /// Sublayers that the plan changes.
    public let moves: Int
    /// KL of the start plus the summed changes of the moved sublayers, in nats per prediction.
    public let predictedKL: Double
    /// KL of the plan, in nats per prediction.
    public let measuredKL: Double
    /// Whether the plan was better than the best before it.
    public let isAccepted: Bool
}

extension Workbench {
    /// Plans within a budget: starts from the best measured plan that fits, improves it in context, and writes what measured best.
    ///
    /// The starts are the uniform plans, the optimum of the table's summed losses, that optimum between two neighbouring uniform plans,
    /// and Chung's preset; no plan that loses to one of them is ever returned.
    /// - Parameters:
    ///   - effort: most measurements in context.
    ///   - progress: called with each round.
    /// - Throws: `AllocationError` where nothing fits; it says what the smallest size is.
    public func plan(
        _ table: SensitivityTable, target: SizeTarget, effort: Int = 1000,
        progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        guard table.model == identity else {
            throw PlanError.otherModel(expected: table.model, got: identity)
        }
        let budget = target.bytes(of: model.layout)
        let starts = try starts(table, target: target, budget: budget)
        let losses = try measurer.losses(of: starts.map(\.assignment), around: starts[0].assignment)
        let planner = ContextPlanner(
            measurer, candidates: table.candidates, budgetBytes: budget, effort: effort)
        let improved = try planner.improve(
            zip(starts, losses).map { ($0.assignment, $1) }, progress: progress)
        var measured: [Contender] = zip(starts, losses).map {
            Contender(name: $0.name, assignment: $0.assignment, losses: $1)
        }
        if let improved, !starts.contains(where: { $0.assignment == improved.assignment }) {
            measured.insert(
                Contender(name: "in context", assignment: improved.assignment, losses: improved.losses), at: 0
            )
        }
        // Of equal losses the smaller plan, then the first.
        let ranked = measured.enumerated().sorted {
            ($0.element.kl, model.layout.sizeInBytes($0.element.assignment), $0.offset)
                < ($1.element.kl, model.layout.sizeInBytes($1.element.assignment), $1.offset)
        }.map(\.element)
        guard let best = ranked.first else { throw AllocationError.noItems }
        var plan = Plan.naming(
            best.assignment, of: model.layout, model: identity, name: best.name, fit: options.fit)
        plan.predicted = .init(
            bytes: model.layout.sizeInBytes(best.assignment), fixedBytes: model.layout.fixedBytes,
            klNats: best.name == "in context" ? improved?.predictedKL : nil)
        plan.certificate = best.name == "in context" ? improved?.certificate : nil
        plan.measured = try ranked.map { contender in
            Plan.MeasuredPlan(
                name: contender.name, bytes: model.layout.sizeInBytes(contender.assignment),
                klNats: contender.kl,
                metric: try score(try measurer.network(contender.assignment)).values.first?.value)
        }
        plan.provenance = table.provenance
        return PlanningResult(
            plan: plan,
            rounds: improved?.rounds ?? [],
            measurements: starts.count + (improved?.measurements ?? 0))
    }

    private struct Contender {
        let name: String
        let assignment: Assignment
        let losses: [ItemLoss]
        var kl: Double { LossMeasurement(losses).klNats }
    }

    /// Plans that fit the budget and that any other has to beat.
    private func starts(
        _ table: SensitivityTable, target: SizeTarget, budget: Int
    ) throws -> [(name: String, assignment: Assignment)] {
        let layout = model.layout
        var starts = [
            (name: "sum of losses", assignment: try additivePlan(table, target: target).schemes(of: layout))
        ]
        let uniform = table.candidates.map { Assignment(repeating: $0, count: layout.sublayers.count) }
            .sorted { layout.sizeInBytes($0) < layout.sizeInBytes($1) }
        let fitting = uniform.filter { layout.sizeInBytes($0) <= budget }
        starts += fitting.map { ("uniform \($0[0])", $0) }
        if let below = fitting.last, let above = uniform.first(where: { layout.sizeInBytes($0) > budget }) {
            let problem = AllocationProblem(table, budgetBytes: budget, schemes: [below[0], above[0]])
            starts.append(
                ("between \(below[0]) and \(above[0])", problem.assignment(try problem.solve().choice)))
        }
        if let chung = layout.chung(), layout.sizeInBytes(chung) <= budget {
            starts.append(("preset chung", chung))
        }
        var seen: Set<Assignment> = []
        return starts.filter { seen.insert($0.assignment).inserted }
    }
}
