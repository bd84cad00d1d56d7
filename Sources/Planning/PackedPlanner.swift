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
package struct PackedPlanner<Measurer: PlanMeasurer> {
    private let measurer: Measurer
    private let table: SensitivityTable
    private let space: PlanSpace
    private let effort: Int

    /// Plans in turn without a gain after which the search ends.
    private static var patience: Int { 8 }
    /// Plans after which searches have usually ended.
    package static var usualMeasurements: Int { 3 * patience }

    /// A planner of the plans that a target admits; `effort` are the most plans that are encoded and
    /// measured.
    init(_ measurer: Measurer, _ table: SensitivityTable, space: PlanSpace, effort: Int) {
        self.measurer = measurer
        self.table = table
        self.space = space
        self.effort = effort
    }

    private typealias Best = (assignment: Assignment, klNats: Double, merit: PlanSpace.Merit)

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
        func measured(_ assignment: Assignment, _ items: [ItemLoss]) -> (Double, PlanSpace.Merit) {
            let klNats = LossMeasurement(items).klNats
            return (klNats, space.merit(assignment, klNats: klNats))
        }
        for start in starts {
            let (klNats, merit) = measured(start.assignment, start.losses)
            losses.learn(start.assignment, klNats: klNats)
            known.insert(start.assignment)
            if best.map({ merit < $0.merit }) ?? true { best = (start.assignment, klNats, merit) }
        }
        var found: [(plan: PlanSearchResult.Found, merit: PlanSpace.Merit)] = []
        var rounds: [PlanningRound] = []
        var failures = 0
        while let base = best, rounds.count < effort, failures < Self.patience,
            let next = try candidate(losses, near: base, known)
        {
            let items = try measurer.packedLosses(of: next.assignment)
            let (klNats, merit) = measured(next.assignment, items)
            losses.learn(next.assignment, klNats: klNats)
            known.insert(next.assignment)
            let isBetter = merit < base.merit
            let round = PlanningRound(
                moves: zip(base.assignment, next.assignment).count { $0 != $1 },
                predictedKL: next.proof.klNats, predictedInterval: next.proof.interval,
                measuredKL: klNats, isAccepted: isBetter)
            rounds.append(round)
            progress(round)
            let plan = PlanSearchResult.Found(
                assignment: next.assignment, losses: items, proof: next.proof, round: rounds.count)
            found.append((plan, merit))
            if isBetter { best = (next.assignment, klNats, merit) }
            failures = isBetter ? 0 : failures + 1
        }
        // Of two that are equal the one that was measured first stands behind.
        let ordered = found.enumerated().sorted {
            ($1.element.merit, $1.offset) < ($0.element.merit, $0.offset)
        }
        return PlanSearchResult(
            found: ordered.map(\.element.plan), rounds: rounds, measurements: rounds.count)
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
            if !known.contains(assignment) {
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
