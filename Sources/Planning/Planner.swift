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
        /// The round that measured it, from 1.
        let round: Int
        /// Whether it took the place of the best plan before it.
        let isTaken: Bool
    }

    /// Plans that were measured on the way; the last of those that were taken is the best.
    let found: [Found]
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
    /// Where the measurement was expected in 95 of 100 cases; nil where that was not known.
    package let predictedInterval: Interval?
    /// KL of the plan, in nats per prediction.
    package let measuredKL: Double
    /// Whether the plan was better than the best before it.
    package let isAccepted: Bool

    /// The round as a plan records it.
    package var record: Plan.Round {
        Plan.Round(
            moves: moves, predictedKL: predictedKL, predictedInterval: predictedInterval,
            measuredKL: measuredKL, isAccepted: isAccepted)
    }
}

/// Plans for a target: from the best measured plan that it admits, improved by measurements, to what measures
/// best.
///
/// The starts are the uniform plans, the optimum of the table's summed losses, that optimum between two
/// neighbouring uniform plans, and Chung's preset, all as far as pins, ties and choices allow. Of all plans
/// the one of least KL is returned, unless its metric is worse beyond noise than that of the best uniform
/// plan (`judge`).
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
    ///
    /// - Throws: `LatencyError` where a scheme was not measured.
    package init(
        _ measurer: Measurer, _ table: SensitivityTable, space: PlanSpace, prefersLessMetric: Bool
    ) throws {
        self.measurer = measurer
        self.table = table
        self.space = try space.settled(table)
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
            ? measurer.packedLosses(of: starts.map(\.assignment))
            : measurer.losses(of: starts.map(\.assignment), around: starts[0].assignment)
        let measured = zip(starts, losses).map { ($0.assignment, $1) }
        let improved =
            try isWhole
            ? PackedPlanner(measurer, table, space: space, effort: effort)
                .improve(measured, progress: progress)
            : ContextPlanner(measurer, space: space, effort: effort).improve(measured, progress: progress)
        let fromStarts = zip(starts, losses).map { start, losses in
            Contender(
                origin: start.origin, assignment: start.assignment, losses: losses, proof: start.proof,
                isSpare: false)
        }
        let best = improved.found.last(where: \.isTaken)?.round
        let inContext = improved.found.map { plan in
            Contender(
                origin: plan.round == best ? .inContext : .inContextStep(plan.round),
                assignment: plan.assignment, losses: plan.losses, proof: plan.proof, isSpare: !plan.isTaken)
        }
        let judged = try judge(inContext.reversed() + fromStarts)
        guard let best = judged.first(where: { $0.setAside == nil }) else { throw PlanningError.noStart }
        if let limit = space.goal.maximumLoss, best.klNats > limit {
            throw PlanningError.lossNotMet(limit: limit, least: best.klNats)
        }
        return PlanningResult(
            plan: try record(best, judged, effort: effort), rounds: improved.rounds,
            measurements: starts.count + improved.measurements)
    }

    /// The plan that is written, with what was measured beside it.
    private func record(_ best: Judged, _ judged: [Judged], effort: Int) throws -> Plan {
        let (assignment, proof) = (best.contender.assignment, best.contender.proof)
        var plan = Plan.naming(
            assignment, of: space.layout, model: table.model, origin: best.contender.origin, fit: table.fit)
        plan.predicted = space.prediction(
            assignment, klNats: proof?.klNats, klInterval: proof?.interval)
        plan.certificate = proof?.certificate
        plan.measured = judged.map(\.record)
        plan.provenance = table.provenance
        // With hardly any effort there are no measurements in context either; the table's cells then say what
        // a step costs.
        if effort >= 2 * space.layout.sublayers.count {
            plan.steps = try steps(around: assignment, table.candidates)
        }
        return plan
    }

    private typealias Start = (origin: PlanOrigin, assignment: Assignment, proof: SolvedLoss?)

    /// The uniform plans of the candidates, as far as constraints allow, whether they fit or not.
    var uniforms: [(scheme: Scheme, origin: PlanOrigin, assignment: Assignment)] {
        space.layout.uniformCandidates(table.candidates).map { scheme in
            let nearest = space.nearest(to: scheme)
            let isWhole = space.layout.uniformScheme(of: nearest) == scheme
            return (scheme, isWhole ? .uniform(scheme) : .nearUniform(scheme), nearest)
        }
    }

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
        let uniform = uniforms.sorted {
            layout.sizeInBytes($0.assignment) < layout.sizeInBytes($1.assignment)
        }
        let fitting = uniform.filter { space.admits($0.assignment) }
        starts += fitting.map { ($0.origin, $0.assignment, nil) }
        if let below = fitting.last,
            let above = uniform.first(where: {
                layout.sizeInBytes($0.assignment) > layout.sizeInBytes(below.assignment)
            }),
            let (between, proof) = try? space.solved(table, schemes: [below.scheme, above.scheme]),
            space.admits(between)
        {
            starts.append((.between(below.scheme, above.scheme), between, table.estimatesKL ? proof : nil))
        }
        if let chung = layout.chung(), space.admits(chung) {
            starts.append((.preset(.chung(ratio: 1)), chung, nil))
        }
        guard !starts.isEmpty else { throw PlanningError.noStart }
        var seen: Set<Assignment> = []
        return starts.filter { seen.insert($0.assignment).inserted }
    }
}
