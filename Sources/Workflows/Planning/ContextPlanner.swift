import Allocation
import Metrics
import Models
import PlanFormat
import Sensitivity

/// Plans from losses measured around an operating point.
///
/// Losses of sublayers do not add up at low bits, so the table measured from full precision misleads. Around a plan they nearly do:
/// every sublayer is measured one step up and one step down from it, the exact optimum of these cells is solved, measured, and taken
/// where it is better; then again from there. Where the prediction fails the step is halved: fewer sublayers may move at a time.
/// Where one step leads nowhere, two are tried. Sublayers that are tied move together.
struct ContextPlanner<Family: ModelFamily> {
    /// What measures cells and plans.
    let measurer: Measurer<Family>
    /// What the target admits.
    let space: PlanSpace
    /// Most measurements, cells and plans together.
    let effort: Int

    /// A planner of the plans that a target admits.
    init(_ measurer: Measurer<Family>, space: PlanSpace, effort: Int) {
        self.measurer = measurer
        self.space = space
        self.effort = effort
    }

    /// Climbs from the best of `starts`, all of which the target must admit, from the best uniform one, and from the next best, as far as
    /// the effort reaches: from different starts come different optima.
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
        let uniform = measured.firstIndex { Set($0.assignment).count == 1 }
        let order = [0, uniform].compactMap { $0 } + Array(measured.indices)
        var seen: Set<Int> = []
        for place in order.filter({ seen.insert($0).inserted }).prefix(min(Self.climbs, measured.count)) {
            try climb(from: measured[place], &search, progress: progress)
        }
        // The best of all climbs stands last.
        let taken = search.taken.sorted { merit($1) < merit($0) }
        return PlanSearchResult(
            taken: taken.compactMap(\.found), rounds: search.rounds, measurements: search.count)
    }

    /// A measured plan.
    private struct Step {
        let assignment: Assignment
        let losses: [ItemLoss]
        /// What the solver said of it; nil for a start.
        let proof: SolvedLoss?
        let klNats: Double

        init(assignment: Assignment, losses: [ItemLoss], proof: SolvedLoss?) {
            self.assignment = assignment
            self.losses = losses
            self.proof = proof
            klNats = LossMeasurement(losses).klNats
        }

        var found: PlanSearchResult.Found? {
            proof.map { PlanSearchResult.Found(assignment: assignment, losses: losses, proof: $0) }
        }
    }

    /// What all climbs know and have done.
    private struct Search {
        var known: [Assignment: Double] = [:]
        var taken: [Step] = []
        var rounds: [PlanningRound] = []
        var count = 0
    }

    private func merit(_ step: Step) -> PlanSpace.Merit {
        space.merit(step.assignment, klNats: step.klNats)
    }

    /// Starts that are climbed from.
    static var climbs: Int { 3 }
    /// Pairs of steps that are measured where single ones lead nowhere.
    static var pairCount: Int { 24 }

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
                let step = try step(
                    from: best.assignment, klNats: best.klNats, changes, moves: moves), step.moves > 0
            {
                moves = min(moves, step.moves) / 2
                let proof = SolvedLoss(
                    step.solution, space, base: before.klNats, minimized: step.minimized)
                try take([(step.assignment, proof, step.moves)], &best, &search, progress)
            }
            if best.assignment == before.assignment, reach == Self.longestReach {
                try take(
                    pairs(from: best, changes, search.known), &best, &search,
                    progress)
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

    /// Measures plans that are not known, and takes the best where it is better than `best`.
    private func take(
        _ plans: [(assignment: Assignment, proof: SolvedLoss, moves: Int)], _ best: inout Step,
        _ search: inout Search, _ progress: (PlanningRound) -> Void
    ) throws {
        let plans = plans.filter { search.known[$0.assignment] == nil }.prefix(max(0, effort - search.count))
        let losses = try measurer.losses(of: plans.map(\.assignment), around: best.assignment)
        search.count += plans.count
        let steps = zip(plans, losses).map { plan, losses in
            Step(assignment: plan.assignment, losses: losses, proof: plan.proof)
        }
        for step in steps { search.known[step.assignment] = step.klNats }
        guard let top = steps.indices.min(by: { merit(steps[$0]) < merit(steps[$1]) }) else { return }
        let round = PlanningRound(
            moves: plans[top].moves, predictedKL: plans[top].proof.klNats,
            measuredKL: steps[top].klNats, isAccepted: merit(steps[top]) < merit(best))
        search.rounds.append(round)
        progress(round)
        if round.isAccepted {
            best = steps[top]
            search.taken.append(best)
        }
    }

    /// Steps up and down a ladder that are tried where one step leads nowhere.
    static var longestReach: Int { 2 }

    /// Pairs of measured steps of two sublayers or groups that the target admits together, least predicted loss first.
    private func pairs(
        from best: Step, _ changes: [(PlanNeighbour, Double)], _ known: [Assignment: Double]
    ) -> [(assignment: Assignment, proof: SolvedLoss, moves: Int)] {
        var pairs: [(assignment: Assignment, loss: Double)] = []
        for (place, first) in changes.enumerated() {
            for second in changes.dropFirst(place + 1) where first.0.group != second.0.group {
                let moved = space.moved(first.0.assignment, second.0.group, to: second.0.scheme)
                guard known[moved] == nil, space.admits(moved) else { continue }
                pairs.append((moved, best.klNats + first.1 + second.1))
            }
        }
        return pairs.enumerated().sorted {
            let (left, right) = ($0.element, $1.element)
            let merits = (
                space.merit(left.assignment, klNats: left.loss),
                space.merit(right.assignment, klNats: right.loss)
            )
            return merits.0 == merits.1 ? $0.offset < $1.offset : merits.0 < merits.1
        }.prefix(Self.pairCount).map {
            ($0.element.assignment, SolvedLoss(klNats: $0.element.loss), 2)
        }
    }

    /// The best assignment among the measured steps from `assignment`, moving at most so many sublayers or groups.
    private func step(
        from assignment: Assignment, klNats: Double, _ changes: [(PlanNeighbour, Double)], moves: Int
    ) throws -> (
        assignment: Assignment, solution: AllocationSolution, moves: Int, minimized: PlanTarget.Cost?
    )? {
        let options = space.groups.indices.map { index -> [(scheme: Scheme, loss: Double)] in
            [(assignment[space.groups[index][0]], 0)]
                + changes.filter { $0.0.group == index }.map { ($0.0.scheme, $0.1) }
        }
        var problem = AllocationProblem(
            items: try space.groups.indices.map { index in
                AllocationProblem.Item(
                    name: "\(index)",
                    options: try options[index].enumerated().map { place, option in
                        AllocationProblem.Option(
                            label: option.scheme.description, loss: option.loss,
                            costs: try space.cost(of: index, option.scheme) + [place == 0 ? 0 : 1])
                    })
            },
            budgets: space.budgets + [.init(name: "moves", limit: Double(moves))])
        var minimized = space.goal.cost
        var solution: AllocationSolution?
        if case .least(let cost, let maximumLoss) = space.goal {
            problem.objective = .cost(budget: cost.rawValue, lossLimit: maximumLoss - klNats)
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
        return (space.assignment(chosen), solution, solution.choice.count { $0 != 0 }, minimized)
    }
}
