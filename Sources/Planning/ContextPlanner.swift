import BitplanAllocation
import BitplanMetrics
import PlanFormat

/// Plans from losses measured around an operating point.
///
/// Losses of sublayers do not add up at low bits, so the table measured from full precision misleads. Around
/// a plan they nearly do: every sublayer is measured one step up and one step down from it, the exact optimum
/// of these cells is solved, measured, and taken where it is better; then again from there. Where the
/// prediction fails the step is halved: fewer sublayers may move at a time. Where one step leads nowhere, two
/// are tried, then the exact optima that contain a step which was left out; and where those are no better
/// either, some of them are climbed from, since what they lead to may be. Sublayers that are tied move
/// together.
struct ContextPlanner<Measurer: PlanMeasurer> {
    /// What measures cells and plans.
    let measurer: Measurer
    /// What the target admits.
    let space: PlanSpace
    /// Most measurements, cells and plans together.
    let effort: Int

    /// A planner of the plans that a target admits.
    init(_ measurer: Measurer, space: PlanSpace, effort: Int) {
        self.measurer = measurer
        self.space = space
        self.effort = effort
    }

    /// Climbs from the best of `starts`, all of which the target must admit, from the best uniform one, from
    /// the next best, and from detours around what was found, as far as the effort reaches: from different
    /// starts come different optima.
    ///
    /// - Parameter progress: called with each round.
    func improve(
        _ starts: [(assignment: Assignment, losses: [ItemLoss])], progress: (PlanningRound) -> Void = { _ in }
    ) throws -> PlanSearchResult {
        var search = Search()
        let measured = starts.map {
            Step(assignment: $0.assignment, losses: $0.losses, proof: nil)
        }.sorted { merit($0) < merit($1) }
        for start in measured { search.known[start.assignment] = start.klNats }
        let uniform = measured.firstIndex { space.layout.uniformScheme(of: $0.assignment) != nil }
        let order = [0, uniform].compactMap { $0 } + Array(measured.indices)
        var seen: Set<Int> = []
        for place in order.filter({ seen.insert($0).inserted }).prefix(min(Self.climbs, measured.count)) {
            try climb(from: measured[place], &search, progress: progress)
        }
        for _ in 0..<Self.detourClimbs {
            guard
                let place = search.detours.indices.min(by: {
                    merit(search.detours[$0]) < merit(search.detours[$1])
                })
            else { break }
            try climb(from: search.detours.remove(at: place), &search, progress: progress)
        }
        // The best of all climbs stands last.
        let taken = search.taken.sorted { merit($1) < merit($0) }
        return PlanSearchResult(
            found: taken.compactMap(\.found), rounds: search.rounds, measurements: search.count)
    }

    /// A measured plan.
    private struct Step {
        let assignment: Assignment
        let losses: [ItemLoss]
        /// What the solver said of it; nil for a start.
        let proof: SolvedLoss?
        let klNats: Double
        /// The round that took it, from 1; 0 for a start.
        var round = 0

        init(assignment: Assignment, losses: [ItemLoss], proof: SolvedLoss?) {
            self.assignment = assignment
            self.losses = losses
            self.proof = proof
            klNats = LossMeasurement(losses).klNats
        }

        var found: PlanSearchResult.Found? {
            proof.map {
                PlanSearchResult.Found(
                    assignment: assignment, losses: losses, proof: $0, round: round, isTaken: true)
            }
        }
    }

    /// What all climbs know and have done.
    private struct Search {
        var known: [Assignment: Double] = [:]
        var taken: [Step] = []
        /// Measured plans around an optimum that were no better.
        var detours: [Step] = []
        var rounds: [PlanningRound] = []
        var count = 0
    }

    private func merit(_ step: Step) -> PlanSpace.Merit {
        space.merit(step.assignment, klNats: step.klNats)
    }

    /// Starts that are climbed from.
    static var climbs: Int { 3 }
    /// Detours that are climbed from.
    static var detourClimbs: Int { 6 }
    /// Detours that are measured around an optimum.
    static var detourCount: Int { 24 }

    /// Steps from `start` as long as they are measured to be better.
    private func climb(
        from start: Step, _ search: inout Search, progress: (PlanningRound) -> Void
    ) throws {
        var best = start
        var reach = 1
        while true {
            let neighbours = space.neighbours(of: best.assignment, reach: reach)
            guard search.count + neighbours.count < effort else { break }
            let cells = try measurer.losses(of: neighbours.map(\.assignment), around: best.assignment)
            search.count += neighbours.count
            let changes = zip(neighbours, cells).map { ($0, LossMeasurement($1).klNats - best.klNats) }
            let before = best
            var moves = space.groups.count
            while moves >= 1, best.assignment == before.assignment,
                let proposal = try proposal(from: before, changes, moves: moves), proposal.moves > 0
            {
                moves = min(moves, proposal.moves) / 2
                try take([proposal], &best, &search, progress)
            }
            if best.assignment == before.assignment, reach == Self.longestReach {
                let measured = try take(
                    detours(from: best, changes, search.known), &best, &search, progress)
                search.detours += measured.filter { $0.assignment != best.assignment }
            }
            // One step is measured again wherever something moved; more only where one step leads nowhere.
            if best.assignment != before.assignment {
                reach = 1
            } else if reach < Self.longestReach {
                reach += 1
            } else {
                break
            }
        }
    }

    /// A plan that is worth measuring, and how many sublayers or groups moved.
    private struct Proposal {
        let assignment: Assignment
        let proof: SolvedLoss
        let moves: Int
    }

    /// Measures plans that are not known, takes the best where it is better than `best`, and returns all that
    /// were measured.
    @discardableResult
    private func take(
        _ plans: [Proposal], _ best: inout Step, _ search: inout Search, _ progress: (PlanningRound) -> Void
    ) throws -> [Step] {
        let plans = plans.filter { search.known[$0.assignment] == nil && space.admits($0.assignment) }
            .prefix(max(0, effort - search.count))
        let losses = try measurer.losses(of: plans.map(\.assignment), around: best.assignment)
        search.count += plans.count
        let steps = zip(plans, losses).map { plan, losses in
            Step(assignment: plan.assignment, losses: losses, proof: plan.proof)
        }
        for step in steps { search.known[step.assignment] = step.klNats }
        guard let top = steps.indices.min(by: { merit(steps[$0]) < merit(steps[$1]) }) else { return [] }
        let round = PlanningRound(
            moves: plans[top].moves, predictedKL: plans[top].proof.klNats,
            predictedInterval: plans[top].proof.interval, measuredKL: steps[top].klNats,
            isAccepted: merit(steps[top]) < merit(best))
        search.rounds.append(round)
        progress(round)
        if round.isAccepted {
            best = steps[top]
            best.round = search.rounds.count
            search.taken.append(best)
        }
        return steps
    }

    /// Steps up and down a ladder that are tried where one step leads nowhere.
    static var longestReach: Int { 2 }

    /// For every measured step, the optimum of those that take it: the plans that are not known, least
    /// predicted loss first.
    private func detours(
        from best: Step, _ changes: [(PlanNeighbour, Double)], _ known: [Assignment: Double]
    ) throws -> [Proposal] {
        var seen = Set(known.keys)
        return try changes.compactMap { step, _ in
            try proposal(from: best, changes, moves: space.groups.count, taking: step)
        }.filter { seen.insert($0.assignment).inserted }.enumerated().sorted {
            let (left, right) = ($0.element, $1.element)
            let merits = (
                space.merit(left.assignment, klNats: left.proof.klNats),
                space.merit(right.assignment, klNats: right.proof.klNats)
            )
            return merits.0 == merits.1 ? $0.offset < $1.offset : merits.0 < merits.1
        }.prefix(Self.detourCount).map(\.element)
    }

    /// The best plan by the measured steps from `start`, moving at most so many sublayers or groups; nil
    /// where the target admits none.
    ///
    /// - Parameter step: one that it must take.
    private func proposal(
        from start: Step, _ changes: [(PlanNeighbour, Double)], moves: Int, taking step: PlanNeighbour? = nil
    ) throws -> Proposal? {
        let options = space.groups.indices.map { index -> [(scheme: Scheme, loss: Double)] in
            let steps = changes.filter { $0.0.group == index }.map { ($0.0.scheme, $0.1) }
            guard let step, step.group == index else {
                return [(start.assignment[space.groups[index][0]], 0)] + steps
            }
            return steps.filter { $0.0 == step.scheme }
        }
        var problem = AllocationProblem(
            items: try space.groups.indices.map { index in
                AllocationProblem.Item(
                    name: "\(index)",
                    options: try options[index].map { option in
                        let isMoved = option.scheme != start.assignment[space.groups[index][0]]
                        return AllocationProblem.Option(
                            label: option.scheme.description, loss: option.loss,
                            costs: try space.cost(of: index, option.scheme) + [isMoved ? 1 : 0])
                    })
            },
            budgets: space.budgets + [.init(name: "moves", limit: Double(moves))])
        var minimized = space.goal.cost
        var solution: AllocationSolution?
        if case .least(let cost, let maximumLoss) = space.goal {
            problem.objective = .cost(budget: cost.rawValue, lossLimit: maximumLoss - start.klNats)
            solution = try? problem.solve()
        }
        if solution == nil {
            // The least loss, where that is the goal or the way to a loss that is small enough.
            problem.objective = .loss
            minimized = nil
            solution = try? problem.solve()
        }
        guard let solution else { return nil }
        let chosen = zip(options, solution.choice).map { $0[$1].scheme }
        let moved = zip(space.groups, chosen).count { start.assignment[$0[0]] != $1 }
        return Proposal(
            assignment: space.assignment(chosen),
            proof: step == nil
                ? SolvedLoss(solution, space, base: start.klNats, minimized: minimized)
                : SolvedLoss(klNats: start.klNats + solution.loss),
            moves: moved)
    }
}
