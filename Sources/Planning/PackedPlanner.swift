import BitplanMetrics
import PlanFormat

/// Plans of codes that are fitted behind each other, searched on the codes that packed models have.
///
/// What a sublayer loses there depends on the whole plan, and cannot be measured one sublayer at a time: a
/// change somewhere spoils what the codes behind it make up for, until they are fitted again. So whole plans
/// are encoded and measured. `CorrectedLosses` learns from each; the exact optimum by what is known is the
/// next plan to be measured, and where that one is known, the best changes of one or two sublayers are, until
/// several in turn are no better.
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
        var best: (assignment: Assignment, merit: PlanSpace.Merit)?
        func measured(_ assignment: Assignment, _ items: [ItemLoss]) -> (Double, PlanSpace.Merit) {
            let klNats = LossMeasurement(items).klNats
            return (klNats, space.merit(assignment, klNats: klNats))
        }
        for start in starts {
            let (klNats, merit) = measured(start.assignment, start.losses)
            losses.learn(start.assignment, klNats: klNats)
            known.insert(start.assignment)
            if best.map({ merit < $0.merit }) ?? true { best = (start.assignment, merit) }
        }
        var taken: [PlanSearchResult.Found] = []
        var rounds: [PlanningRound] = []
        var failures = 0
        while let base = best, rounds.count < effort, failures < Self.patience,
            let next = try candidate(losses, near: base.assignment, known)
        {
            let items = try measurer.packedLosses(of: next.assignment)
            let (klNats, merit) = measured(next.assignment, items)
            losses.learn(next.assignment, klNats: klNats)
            known.insert(next.assignment)
            let isBetter = merit < base.merit
            let round = PlanningRound(
                moves: zip(base.assignment, next.assignment).count { $0 != $1 },
                predictedKL: next.proof.klNats, measuredKL: klNats, isAccepted: isBetter)
            rounds.append(round)
            progress(round)
            if isBetter {
                best = (next.assignment, merit)
                taken.append(.init(assignment: next.assignment, losses: items, proof: next.proof))
            }
            failures = isBetter ? 0 : failures + 1
        }
        return PlanSearchResult(taken: taken, rounds: rounds, measurements: rounds.count)
    }

    /// The next plan worth measuring: the optimum, else the best unknown plan near `base`; nil where there is
    /// none.
    private func candidate(
        _ losses: CorrectedLosses, near base: Assignment, _ known: Set<Assignment>
    ) throws -> Candidate? {
        let problem = try space.problem { losses.loss($0, $1) }
        // Without a solution within the loss that is admitted, plans near the best one remain.
        if let (schemes, solution) = try? problem.solve() {
            let assignment = space.assignment(schemes)
            if !known.contains(assignment) {
                return Candidate(
                    assignment: assignment,
                    proof: SolvedLoss(solution, space, minimized: space.goal.cost))
            }
        }
        let near = near(base).filter { !known.contains($0) && space.admits($0) }
            .compactMap { assignment in losses.loss(assignment).map { (assignment, $0) } }
        func merit(_ index: Int) -> PlanSpace.Merit { space.merit(near[index].0, klNats: near[index].1) }
        return near.indices.min { merit($0) < merit($1) }.map {
            Candidate(assignment: near[$0].0, proof: SolvedLoss(klNats: near[$0].1))
        }
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
