import BitplanMetrics
import PlanFormat

/// Plans of codes that are fitted behind each other, searched on the codes that packed models have.
///
/// What a sublayer loses there depends on the whole plan, and cannot be measured one sublayer at a time: a
/// change somewhere spoils what the codes behind it make up for, until they are fitted again. So whole plans
/// are encoded and measured. `CorrectedLosses` learns from each. The exact optimum by what is known is the
/// next plan to be measured; where that one is known, of the best plan's changes of one or two sublayers that
/// with the largest expected improvement is, which is where the plan is likely better or little is known;
/// until several in turn are no better.
///
/// Codes that are fitted behind a change come out a little different, so plans near each other lose a percent
/// or two more or less by chance, and the least of many is the least by luck: on other data it loses more
/// than the optimum of the sums. A plan takes the place of the best one only where it loses less beyond the
/// noise of the items (95% interval of the paired difference).
package struct PackedPlanner<Measurer: PlanMeasurer> {
    private let measurer: Measurer
    private let table: SensitivityTable
    private let space: PlanSpace
    private let effort: Int

    /// Plans in turn without a gain after which the search ends: each is a whole plan encoded, and gains that
    /// come later are rare.
    private static var patience: Int { 5 }
    /// Plans after which searches have usually ended: most find one or two that are better, or none.
    package static var usualMeasurements: Int { patience + 2 }

    /// A planner of the plans that a target admits; `effort` are the most plans that are encoded and
    /// measured.
    init(_ measurer: Measurer, _ table: SensitivityTable, space: PlanSpace, effort: Int) {
        self.measurer = measurer
        self.table = table
        self.space = space
        self.effort = effort
    }

    private struct Best {
        let assignment: Assignment
        let losses: [ItemLoss]
        let klNats: Double
        let merit: PlanSpace.Merit
    }

    private struct Candidate {
        let assignment: Assignment
        let proof: SolvedLoss
    }

    /// Searches from measured plans, all of which the target must admit.
    ///
    /// - Parameter progress: called with each plan that was measured.
    func improve(
        _ starts: [(assignment: Assignment, losses: [ItemLoss])], progress: (PlanningRound) -> Void
    ) throws -> PlanSearchResult {
        var losses = CorrectedLosses(table)
        var known: Set<Assignment> = []
        var best: Best?
        func learn(_ assignment: Assignment, _ items: [ItemLoss]) -> Best {
            let klNats = LossMeasurement(items).klNats
            losses.learn(assignment, klNats: klNats)
            known.insert(assignment)
            return Best(
                assignment: assignment, losses: items, klNats: klNats,
                merit: space.merit(assignment, klNats: klNats))
        }
        for start in starts {
            let plan = learn(start.assignment, start.losses)
            if best.map({ plan.merit < $0.merit }) ?? true { best = plan }
        }
        var found: [PlanSearchResult.Found] = []
        var rounds: [PlanningRound] = []
        var failures = 0
        while let base = best, rounds.count < effort, failures < Self.patience,
            let next = try candidate(losses, near: base, known)
        {
            let plan = learn(next.assignment, try measurer.packedLosses(of: [next.assignment])[0])
            let isBetter = try isBetter(plan, than: base)
            let round = PlanningRound(
                moves: zip(base.assignment, plan.assignment).count { $0 != $1 },
                predictedKL: next.proof.klNats, predictedInterval: next.proof.interval,
                measuredKL: plan.klNats, isAccepted: isBetter)
            rounds.append(round)
            progress(round)
            found.append(
                .init(
                    assignment: plan.assignment, losses: plan.losses, proof: next.proof,
                    round: rounds.count, isTaken: isBetter))
            if isBetter { best = plan }
            failures = isBetter ? 0 : failures + 1
        }
        return PlanSearchResult(found: found, rounds: rounds, measurements: rounds.count)
    }

    /// Whether a plan loses less than the best one beyond the noise of the items, or costs less where a cost
    /// is minimized.
    private func isBetter(_ plan: Best, than best: Best) throws -> Bool {
        guard plan.merit < best.merit, space.goal == .leastLoss, plan.losses.count > 1 else {
            return plan.merit < best.merit
        }
        return try Estimate.pairedDifference(
            baseline: best.losses.map(\.kl), candidate: plan.losses.map(\.kl)
        ).interval().upper < 0
    }

    /// The next plan worth measuring: the optimum, else the best unknown plan near `base`; nil where there is
    /// none.
    private func candidate(
        _ losses: CorrectedLosses, near base: Best, _ known: Set<Assignment>
    ) throws -> Candidate? {
        let problem = try space.problem { losses.loss($0, $1) }
        // Without a solution within the loss that is admitted, plans near the best one remain.
        if let (schemes, solution) = try? problem.solve() {
            let assignment = space.assignment(schemes)
            if !known.contains(assignment), space.admits(assignment) {
                return Candidate(
                    assignment: assignment,
                    proof: SolvedLoss(
                        solution, space, minimized: space.goal.cost,
                        interval: losses.interval(of: assignment)))
            }
        }
        let near = near(base.assignment).filter { !known.contains($0) && space.admits($0) }
        guard space.goal == .leastLoss else {
            let known = near.compactMap { assignment in losses.loss(assignment).map { (assignment, $0) } }
            func merit(_ index: Int) -> PlanSpace.Merit {
                space.merit(known[index].0, klNats: known[index].1)
            }
            return known.indices.min { merit($0) < merit($1) }.map {
                Candidate(
                    assignment: known[$0].0,
                    proof: SolvedLoss(klNats: known[$0].1, interval: losses.interval(of: known[$0].0)))
            }
        }
        let gains = near.map { losses.expectedImprovement(on: base.klNats, by: $0) ?? 0 }
        guard let place = gains.indices.max(by: { gains[$0] < gains[$1] }), gains[place] > 0,
            let loss = losses.loss(near[place])
        else { return nil }
        return Candidate(
            assignment: near[place],
            proof: SolvedLoss(klNats: loss, interval: losses.interval(of: near[place])))
    }

    /// Plans with one or two groups of sublayers one step up or down their ladders.
    private func near(_ assignment: Assignment) -> [Assignment] {
        let steps = space.neighbours(of: assignment, reach: 1)
        return steps.enumerated().flatMap { place, first in
            [first.assignment]
                + steps.dropFirst(place + 1).filter { $0.group != first.group }.map {
                    space.moved(first.assignment, $0.group, to: $0.scheme)
                }
        }
    }
}
