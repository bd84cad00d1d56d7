import BitplanAllocation
import BitplanModels
import BitplanSensitivity
import PlanFormat

/// A planned model with everything that was measured on the way.
package struct PlanningResult: Sendable {
    /// The best measured plan, ready to be written.
    package let plan: Plan
    /// The rounds of planning in context: predicted against measured.
    package let rounds: [PlanningRound]
    /// Measurements that were made after the table.
    package let measurements: Int
}

/// What a search found and how.
struct PlanSearchResult: Sendable {
    /// A measured plan, and what the solver said of it.
    struct Found: Sendable {
        let assignment: Assignment
        let losses: [ItemLoss]
        let proof: SolvedLoss
    }

    /// Every plan that was taken on the way, the best one last; none where no start was improved.
    let taken: [Found]
    /// The rounds, in order.
    let rounds: [PlanningRound]
    /// Measurements that were made.
    let measurements: Int
}

/// One round of planning in context.
package struct PlanningRound: Sendable {
    /// Sublayers that the plan changes.
    package let moves: Int
    /// What the cells known before it say: KL of the start plus the summed changes of the moved sublayers, or the sum of the corrected cells
    /// of all; in nats per prediction.
    package let predictedKL: Double
    /// KL of the plan, in nats per prediction.
    package let measuredKL: Double
    /// Whether the plan was better than the best before it.
    package let isAccepted: Bool
}

extension Workbench {
    /// Plans for a target: starts from the best measured plan that it admits, improves it in context, and writes what measured best.
    ///
    /// The starts are the uniform plans, the optimum of the table's summed losses, that optimum between two neighbouring uniform plans,
    /// and Chung's preset, all as far as pins, ties and choices allow; no plan that loses to one of them is ever returned.
    /// - Parameters:
    ///   - effort: most measurements in context.
    ///   - progress: called with each round.
    /// - Throws: `AllocationError` where nothing fits: it names the limit at fault and says by how much; `UsageError` where no plan that was
    ///   measured loses as little as was asked.
    package func plan(
        _ table: SensitivityTable, target: PlanTarget, effort: Int = 1000,
        progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        guard table.model == identity else {
            throw PlanError.otherModel(expected: table.model, got: identity)
        }
        let space = try space(target, table)
        let starts = try starts(table, space)
        // Codes that are fitted behind each other are searched as they are packed; others as they are measured alone.
        let isWhole = encoder.encoding == .inOrder
        let losses =
            try isWhole
            ? starts.map { try packedLosses(of: $0.assignment) }
            : measurer.losses(of: starts.map(\.assignment), around: starts[0].assignment)
        let measured = zip(starts, losses).map { ($0.assignment, $1) }
        let improved =
            try isWhole
            ? PackedPlanner(self, table, space: space, effort: effort).improve(measured, progress: progress)
            : ContextPlanner(measurer, space: space, effort: effort).improve(measured, progress: progress)
        let fromStarts = zip(starts, losses).map { start, losses in
            Contender(
                name: start.name, assignment: start.assignment, losses: losses, proof: start.proof)
        }
        let taken = improved.taken
        let inContext = taken.enumerated().map { index, plan in
            Contender(
                name: index == taken.count - 1 ? "in context" : "in context, step \(index + 1)",
                assignment: plan.assignment, losses: plan.losses, proof: plan.proof)
        }
        let ranked = try rank(finalists(inContext.reversed() + fromStarts, space), space)
        guard let best = ranked.first(where: { isAdmitted($0, among: ranked, space) }) else {
            throw AllocationError.noItems
        }
        if let limit = space.goal.maximumLoss, best.measured.klNats > limit {
            throw UsageError(
                "a loss of at most \(limit) nats cannot be met: the least that was measured is \(best.measured.klNats)"
            )
        }
        var plan = Plan.naming(
            best.contender.assignment, of: model.layout, model: identity, name: best.contender.name,
            fit: options.fit)
        plan.predicted = space.prediction(
            best.contender.assignment,
            klNats: best.contender.proof?.klNats)
        plan.certificate = best.contender.proof?.certificate
        plan.measured = ranked.map {
            Plan.MeasuredPlan(
                name: $0.contender.name, bytes: $0.bytes, klNats: $0.measured.klNats,
                metric: $0.measured.metric)
        }
        plan.provenance = table.provenance
        // With hardly any effort there are no measurements in context either; the table's cells then say what a step costs.
        if effort >= 2 * model.layout.sublayers.count {
            plan.steps = try steps(around: best.contender.assignment, table.candidates)
        }
        return PlanningResult(
            plan: plan,
            rounds: improved.rounds,
            measurements: starts.count + improved.measurements)
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

    /// Plans whose metric is worth measuring: those of least KL, and every plan that the written one must not lose to.
    private func finalists(_ contenders: [Contender], _ space: PlanSpace) -> [Contender] {
        func merit(_ contender: Contender) -> PlanSpace.Merit {
            space.merit(contender.assignment, klNats: contender.kl)
        }
        let byLoss = contenders.enumerated().sorted {
            (merit($0.element), $0.offset) < (merit($1.element), $1.offset)
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

    /// How many plans of least KL get the task's metric before one is written.
    private static var finalistCount: Int { 4 }

    /// The contenders measured as packed models, best first (by KL, where no cost is made small); of equal ones the smaller plan, then
    /// the first.
    private func rank(_ contenders: [Contender], _ space: PlanSpace) throws -> [Ranked] {
        let measured = try contenders.map { contender -> Ranked in
            let bytes = model.layout.sizeInBytes(contender.assignment)
            return (contender, bytes, try measurePacked(contender.assignment))
        }
        func merit(_ plan: Ranked) -> PlanSpace.Merit {
            space.merit(plan.contender.assignment, klNats: plan.measured.klNats)
        }
        return measured.enumerated().sorted { left, right in
            (merit(left.element), left.element.bytes, left.offset)
                < (merit(right.element), right.element.bytes, right.offset)
        }.map(\.element)
    }

    /// Whether a plan may be written: the best uniform plan that fits beats it neither in KL nor in the task's metric. KL teacher-forced
    /// on the references and what the model produces alone do not always agree, and a plan has to win on both.
    ///
    /// Where a cost is made small there is nothing to weigh: the cheapest plan that loses little enough comes first.
    private func isAdmitted(_ plan: Ranked, among ranked: [Ranked], _ space: PlanSpace) -> Bool {
        guard space.goal == .leastLoss else { return true }
        // Ranked by KL: the first uniform plan is the best of them, and nothing after it has a smaller KL.
        guard let uniform = ranked.first(where: \.contender.isUniform) else { return true }
        let (ours, its) = (plan.measured.metric ?? 0, uniform.measured.metric ?? 0)
        return plan.contender.assignment == uniform.contender.assignment
            || (plan.measured.klNats <= uniform.measured.klNats
                && (model.family.task.prefersLessMetric ? ours <= its : ours >= its))
    }

    /// The plans of this model that a target admits.
    func space(_ target: PlanTarget, _ table: SensitivityTable) throws -> PlanSpace {
        try PlanSpace(
            target, layout: model.layout, modelType: Family.modelType, candidates: table.candidates,
            workload: meanWorkload)
    }

    /// Plans that the target admits and that any other has to beat.
    ///
    /// Where losses are limited, uniform plans of any loss are among them: the smallest that loses little enough is the one to beat.
    private func starts(
        _ table: SensitivityTable, _ space: PlanSpace
    ) throws -> [(name: String, assignment: Assignment, proof: SolvedLoss?)] {
        let layout = model.layout
        var starts: [(name: String, assignment: Assignment, proof: SolvedLoss?)] = []
        do {
            let (additive, proof) = try space.solved(table)
            starts.append(("sum of losses", additive, table.estimatesKL ? proof : nil))
        } catch AllocationError.infeasible(let reason) where reason.budget == "loss" {
            // The sum of losses misleads at low bits: measured plans may lose less.
        }
        let uniform = table.candidates.map { ($0, space.nearest(to: $0)) }
            .sorted { layout.sizeInBytes($0.1) < layout.sizeInBytes($1.1) }
        let fitting = uniform.filter { space.admits($0.1) }
        starts += fitting.map { scheme, schemes in
            let isWhole = schemes.allSatisfy { $0 == scheme }
            return (isWhole ? "uniform \(scheme)" : "near uniform \(scheme)", schemes, nil)
        }
        if let below = fitting.last,
            let above = uniform.first(where: { layout.sizeInBytes($0.1) > layout.sizeInBytes(below.1) }),
            let (between, proof) = try? space.solved(table, schemes: [below.0, above.0])
        {
            starts.append(
                (
                    "between \(below.0) and \(above.0)", between, table.estimatesKL ? proof : nil
                ))
        }
        if let chung = layout.chung(), space.admits(chung) { starts.append(("preset chung", chung, nil)) }
        guard !starts.isEmpty else { throw AllocationError.noItems }
        var seen: Set<Assignment> = []
        return starts.filter { seen.insert($0.assignment).inserted }
    }

    /// Plans within a size; as `plan(_:target:effort:progress:)` of a whole target.
    package func plan(
        _ table: SensitivityTable, target: SizeTarget, effort: Int = 1000,
        progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        try plan(table, target: PlanTarget(size: target), effort: effort, progress: progress)
    }
}
