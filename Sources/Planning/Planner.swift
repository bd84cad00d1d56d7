import BitplanAllocation
import BitplanMetrics
import PlanFormat

/// A planned model with everything that was measured on the way.
package struct PlanningResult: Sendable {
    /// The best measured plan, ready to be written.
    package let plan: Plan
    /// The rounds of planning in context: predicted against measured.
    package let rounds: [PlanningRound]
    /// Measurements that were made after the table.
    package let measurements: Int

    /// The plan with the rounds that led to it: what is written.
    package var record: Plan {
        var plan = plan
        plan.rounds = rounds.map(\.record)
        return plan
    }
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
    /// What the cells known before it say: KL of the start plus the summed changes of the moved sublayers, or
    /// the sum of the corrected cells of all; in nats per prediction.
    package let predictedKL: Double
    /// KL of the plan, in nats per prediction.
    package let measuredKL: Double
    /// Whether the plan was better than the best before it.
    package let isAccepted: Bool

    /// The round as a plan records it.
    package var record: Plan.Round {
        Plan.Round(
            moves: moves, predictedKL: predictedKL, measuredKL: measuredKL, isAccepted: isAccepted)
    }
}

/// Plans for a target: from the best measured plan that it admits, improved by measurements, to what measures
/// best.
///
/// The starts are the uniform plans, the optimum of the table's summed losses, that optimum between two
/// neighbouring uniform plans, and Chung's preset, all as far as pins, ties and choices allow; no plan that
/// loses to one of them is ever returned.
package struct Planner<Measurer: PlanMeasurer> {
    /// What measures plans.
    let measurer: Measurer
    /// The losses of single sublayers.
    let table: SensitivityTable
    /// What the target admits.
    let space: PlanSpace
    /// Whether less of the task's metric is better.
    let prefersLessMetric: Bool

    /// A planner of the plans of `space`, which is that of the table's model.
    package init(
        _ measurer: Measurer, _ table: SensitivityTable, space: PlanSpace, prefersLessMetric: Bool
    ) {
        self.measurer = measurer
        self.table = table
        self.space = space
        self.prefersLessMetric = prefersLessMetric
    }

    /// The best plan that is found.
    ///
    /// - Parameters:
    ///   - effort: most measurements in context.
    ///   - progress: called with each round.
    /// - Throws: `AllocationError` where nothing fits: it names the limit at fault and says by how much;
    ///   `PlanningError` where no plan that was measured loses as little as was asked; what the measurer
    ///   throws.
    package func plan(
        effort: Int, progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanningResult {
        let starts = try starts()
        // Codes that are fitted behind each other are searched as they are packed; others as they are
        // measured alone.
        let isWhole = measurer.encodesInOrder
        let losses =
            try isWhole
            ? starts.map { try measurer.packedLosses(of: $0.assignment) }
            : measurer.losses(of: starts.map(\.assignment), around: starts[0].assignment)
        let measured = zip(starts, losses).map { ($0.assignment, $1) }
        let improved =
            try isWhole
            ? PackedPlanner(measurer, table, space: space, effort: effort)
                .improve(measured, progress: progress)
            : ContextPlanner(measurer, space: space, effort: effort).improve(measured, progress: progress)
        let fromStarts = zip(starts, losses).map { start, losses in
            Contender(
                origin: start.origin, assignment: start.assignment, losses: losses, proof: start.proof)
        }
        let taken = improved.taken
        let inContext = taken.enumerated().map { index, plan in
            Contender(
                origin: index == taken.count - 1 ? .inContext : .inContextStep(index + 1),
                assignment: plan.assignment, losses: plan.losses, proof: plan.proof)
        }
        let ranked = try rank(finalists(inContext.reversed() + fromStarts))
        guard let best = ranked.first(where: { isAdmitted($0, among: ranked) }) else {
            throw PlanningError.noStart
        }
        if let limit = space.goal.maximumLoss, best.measured.klNats > limit {
            throw PlanningError.lossNotMet(limit: limit, least: best.measured.klNats)
        }
        return PlanningResult(
            plan: try record(best, ranked, effort: effort), rounds: improved.rounds,
            measurements: starts.count + improved.measurements)
    }

    /// The plan that is written, with what was measured beside it.
    private func record(_ best: Ranked, _ ranked: [Ranked], effort: Int) throws -> Plan {
        let (assignment, proof) = (best.contender.assignment, best.contender.proof)
        var plan = Plan.naming(
            assignment, of: space.layout, model: table.model, origin: best.contender.origin, fit: table.fit)
        plan.predicted = space.prediction(assignment, klNats: proof?.klNats)
        plan.certificate = proof?.certificate
        plan.measured = ranked.map {
            Plan.MeasuredPlan(
                origin: $0.contender.origin, bytes: $0.bytes, klNats: $0.measured.klNats,
                metric: $0.measured.metric)
        }
        plan.provenance = table.provenance
        // With hardly any effort there are no measurements in context either; the table's cells then say what
        // a step costs.
        if effort >= 2 * space.layout.sublayers.count {
            plan.steps = try steps(around: assignment, table.candidates)
        }
        return plan
    }

    private struct Contender {
        let origin: PlanOrigin
        let assignment: Assignment
        let losses: [ItemLoss]
        /// What the solver predicted and proved; nil for a plan that it did not make.
        let proof: SolvedLoss?
        var kl: Double { LossMeasurement(losses).klNats }
        var isPreset: Bool { if case .preset = origin { true } else { false } }
    }

    private func isUniform(_ contender: Contender) -> Bool {
        space.layout.uniformScheme(of: contender.assignment) != nil
    }

    private typealias Ranked = (contender: Contender, bytes: Int, measured: LossMeasurement)

    /// Plans whose metric is worth measuring: those of least KL, and every plan that the written one must not
    /// lose to.
    private func finalists(_ contenders: [Contender]) -> [Contender] {
        func merit(_ contender: Contender) -> PlanSpace.Merit {
            space.merit(contender.assignment, klNats: contender.kl)
        }
        let byLoss = contenders.enumerated().sorted {
            (merit($0.element), $0.offset) < (merit($1.element), $1.offset)
        }
        .map(\.element)
        var finalists = Array(byLoss.prefix(Self.finalistCount))
        let rivals = [byLoss.first(where: isUniform), byLoss.first(where: \.isPreset)]
        for case let rival? in rivals where !finalists.contains(where: { $0.assignment == rival.assignment })
        {
            finalists.append(rival)
        }
        return finalists
    }

    /// How many plans of least KL get the task's metric before one is written.
    private static var finalistCount: Int { 4 }

    /// The contenders measured as packed models, best first (by KL, where no cost is minimized); of equal
    /// ones the smaller plan, then the first.
    private func rank(_ contenders: [Contender]) throws -> [Ranked] {
        let measured = try contenders.map { contender -> Ranked in
            let bytes = space.layout.sizeInBytes(contender.assignment)
            return (contender, bytes, try measurer.packedMeasurement(of: contender.assignment))
        }
        func merit(_ plan: Ranked) -> PlanSpace.Merit {
            space.merit(plan.contender.assignment, klNats: plan.measured.klNats)
        }
        return measured.enumerated().sorted { left, right in
            (merit(left.element), left.element.bytes, left.offset)
                < (merit(right.element), right.element.bytes, right.offset)
        }.map(\.element)
    }

    /// Whether a plan may be written: the best uniform plan that fits beats it neither in KL nor in the
    /// task's metric. KL teacher-forced on the references and what the model produces alone do not always
    /// agree, and a plan has to win on both.
    ///
    /// Where a cost is minimized there is nothing to weigh: the cheapest plan that loses little enough comes
    /// first.
    private func isAdmitted(_ plan: Ranked, among ranked: [Ranked]) -> Bool {
        guard space.goal == .leastLoss else { return true }
        // Ranked by KL: the first uniform plan is the best of them, and nothing after it has a smaller KL.
        guard let uniform = ranked.first(where: { isUniform($0.contender) }) else { return true }
        let (ours, its) = (plan.measured.metric ?? 0, uniform.measured.metric ?? 0)
        return plan.contender.assignment == uniform.contender.assignment
            || (plan.measured.klNats <= uniform.measured.klNats
                && (prefersLessMetric ? ours <= its : ours >= its))
    }

    private typealias Start = (origin: PlanOrigin, assignment: Assignment, proof: SolvedLoss?)

    /// Plans that the target admits and that any other has to beat.
    ///
    /// Where losses are limited, uniform plans of any loss are among them: the smallest that loses little
    /// enough is the one to beat.
    private func starts() throws -> [Start] {
        let layout = space.layout
        var starts: [Start] = []
        do {
            let (additive, proof) = try space.solved(table)
            starts.append((.sumOfLosses, additive, table.estimatesKL ? proof : nil))
        } catch AllocationError.infeasible(let reason) where reason.budget == "loss" {
            // The sum of losses misleads at low bits: measured plans may lose less.
        }
        let uniform = layout.uniformCandidates(table.candidates).map { ($0, space.nearest(to: $0)) }
            .sorted { layout.sizeInBytes($0.1) < layout.sizeInBytes($1.1) }
        let fitting = uniform.filter { space.admits($0.1) }
        starts += fitting.map { scheme, schemes in
            let isWhole = layout.uniformScheme(of: schemes) == scheme
            return (isWhole ? .uniform(scheme) : .nearUniform(scheme), schemes, nil)
        }
        if let below = fitting.last,
            let above = uniform.first(where: { layout.sizeInBytes($0.1) > layout.sizeInBytes(below.1) }),
            let (between, proof) = try? space.solved(table, schemes: [below.0, above.0])
        {
            starts.append((.between(below.0, above.0), between, table.estimatesKL ? proof : nil))
        }
        if let chung = layout.chung(), space.admits(chung) {
            starts.append((.preset(.chung(ratio: 1)), chung, nil))
        }
        guard !starts.isEmpty else { throw PlanningError.noStart }
        var seen: Set<Assignment> = []
        return starts.filter { seen.insert($0.assignment).inserted }
    }
}
