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
        let starts = try starts(table, budget: budget)
        let losses = try measurer.losses(of: starts.map(\.assignment), around: starts[0].assignment)
        let planner = ContextPlanner(
            measurer, candidates: table.candidates, budgetBytes: budget, effort: effort)
        let improved = try planner.improve(
            zip(starts, losses).map { ($0.assignment, $1) }, progress: progress)
        let fromStarts = zip(starts, losses).map { start, losses in
            Contender(
                name: start.name, assignment: start.assignment, losses: losses, proof: start.proof)
        }
        let taken = improved?.taken ?? []
        let inContext = taken.enumerated().map { index, plan in
            Contender(
                name: index == taken.count - 1 ? "in context" : "in context, step \(index + 1)",
                assignment: plan.assignment, losses: plan.losses, proof: plan.proof)
        }
        let finalists = finalists(inContext.reversed() + fromStarts)
        let ranked = try rank(finalists)
        guard let best = ranked.first(where: { isAdmitted($0, among: ranked) }) else {
            throw AllocationError.noItems
        }
        var plan = Plan.naming(
            best.contender.assignment, of: model.layout, model: identity, name: best.contender.name,
            fit: options.fit)
        plan.predicted = .init(
            bytes: best.bytes, fixedBytes: model.layout.fixedBytes,
            klNats: best.contender.proof?.klNats)
        plan.certificate = best.contender.proof?.certificate
        plan.measured = ranked.map {
            Plan.MeasuredPlan(
                name: $0.contender.name, bytes: $0.bytes, klNats: $0.measured.klNats,
                metric: $0.measured.metric)
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
        /// What the solver predicted and proved; nil for a plan that it did not make.
        let proof: SolvedLoss?
        var kl: Double { LossMeasurement(losses).klNats }
        var isUniform: Bool { Set(assignment).count == 1 }
    }

    private typealias Ranked = (contender: Contender, bytes: Int, measured: LossMeasurement)

    /// Plans that are worth encoding as a whole: those of least KL, and every plan that the written one must not lose to.
    private func finalists(_ contenders: [Contender]) -> [Contender] {
        let byLoss = contenders.enumerated().sorted {
            ($0.element.kl, $0.offset) < ($1.element.kl, $1.offset)
        }
        .map(\.element)
        var finalists = Array(byLoss.prefix(Self.finalistCount))
        let rivals = [byLoss.first(where: \.isUniform), byLoss.first { $0.name.hasPrefix("preset") }]
        for case let rival? in rivals where !finalists.contains(where: { $0.assignment == rival.assignment })
        {
            finalists.append(rival)
        }
        return finalists
    }

    /// How many plans of least KL are encoded as a whole before one is written.
    private static var finalistCount: Int { 3 }

    /// The contenders measured as packed models, by KL; of equal losses the smaller plan, then the first.
    private func rank(_ contenders: [Contender]) throws -> [Ranked] {
        let measured = try contenders.map { contender -> Ranked in
            let bytes = model.layout.sizeInBytes(contender.assignment)
            return (contender, bytes, try measurePacked(contender.assignment))
        }
        return measured.enumerated().sorted { left, right in
            (left.element.measured.klNats, left.element.bytes, left.offset)
                < (right.element.measured.klNats, right.element.bytes, right.offset)
        }.map(\.element)
    }

    /// Whether a plan may be written: the best uniform plan that fits beats it neither in KL nor in the task's metric. KL teacher-forced
    /// on the references and what the model produces alone do not always agree, and a plan has to win on both.
    private func isAdmitted(_ plan: Ranked, among ranked: [Ranked]) -> Bool {
        // Ranked by KL: the first uniform plan is the best of them, and nothing after it has a smaller KL.
        guard let uniform = ranked.first(where: \.contender.isUniform) else { return true }
        return plan.contender.assignment == uniform.contender.assignment
            || (plan.measured.klNats <= uniform.measured.klNats
                && (plan.measured.metric ?? 0) >= (uniform.measured.metric ?? 0))
    }

    /// Plans that fit the budget and that any other has to beat.
    private func starts(
        _ table: SensitivityTable, budget: Int
    ) throws -> [(name: String, assignment: Assignment, proof: SolvedLoss?)] {
        let layout = model.layout
        func solved(_ schemes: [Scheme]) throws -> (Assignment, SolvedLoss?) {
            let problem = AllocationProblem(table, budgetBytes: budget, schemes: schemes)
            let solution = try problem.solve()
            let proof = table.estimatesKL ? SolvedLoss(solution, budgetBytes: budget) : nil
            return (problem.assignment(solution.choice), proof)
        }
        let (additive, proof) = try solved(table.candidates)
        var starts: [(name: String, assignment: Assignment, proof: SolvedLoss?)] = [
            ("sum of losses", additive, proof)
        ]
        let uniform = table.candidates.map { Assignment(repeating: $0, count: layout.sublayers.count) }
            .sorted { layout.sizeInBytes($0) < layout.sizeInBytes($1) }
        let fitting = uniform.filter { layout.sizeInBytes($0) <= budget }
        starts += fitting.map { ("uniform \($0[0])", $0, nil) }
        if let below = fitting.last, let above = uniform.first(where: { layout.sizeInBytes($0) > budget }) {
            let (between, proof) = try solved([below[0], above[0]])
            starts.append(("between \(below[0]) and \(above[0])", between, proof))
        }
        if let chung = layout.chung(), layout.sizeInBytes(chung) <= budget {
            starts.append(("preset chung", chung, nil))
        }
        var seen: Set<Assignment> = []
        return starts.filter { seen.insert($0.assignment).inserted }
    }
}
