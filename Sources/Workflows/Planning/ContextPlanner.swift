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
/// Where one step leads nowhere, two are tried.
public struct ContextPlanner<Family: ModelFamily> {
    /// What measures cells and plans.
    public let measurer: Measurer<Family>
    /// Schemes of each sublayer in order of their bytes.
    public let ladders: [[Scheme]]
    /// Most bytes of all tensors, FP32 parts included.
    public let budgetBytes: Int
    /// Most measurements, cells and plans together.
    public let effort: Int

    /// A plan with its loss and how it was reached.
    public struct Result: Sendable {
        /// The best schemes found, in order of the sublayers.
        public let assignment: Assignment
        /// What every item loses under them.
        public let losses: [ItemLoss]
        /// Their mean KL per prediction, in nats.
        public let klNats: Double
        /// Every plan that was taken on the way, the last one included.
        public let taken: [(assignment: Assignment, losses: [ItemLoss], proof: SolvedLoss)]
        /// The rounds, in order.
        public let rounds: [PlanningRound]
        /// Measurements that were made.
        public let measurements: Int
    }

    /// A planner over candidate schemes; every sublayer may take any of them.
    public init(_ measurer: Measurer<Family>, candidates: [Scheme], budgetBytes: Int, effort: Int) {
        self.measurer = measurer
        ladders = measurer.layout.sublayers.map { sublayer in
            candidates.sorted {
                (sublayer.sizeInBytes($0), $0.description) < (sublayer.sizeInBytes($1), $1.description)
            }
        }
        self.budgetBytes = budgetBytes
        self.effort = effort
    }

    /// Climbs from the best of `starts`, all of which must fit the budget, and from the next ones as far as the effort reaches.
    ///
    /// - Parameter progress: called with each round.
    public func improve(
        _ starts: [(assignment: Assignment, losses: [ItemLoss])], progress: (PlanningRound) -> Void = { _ in }
    ) throws -> Result? {
        var search = Search()
        let measured = starts.map {
            Step(assignment: $0.assignment, losses: $0.losses, proof: nil)
        }.sorted { $0.klNats < $1.klNats }
        for start in measured { search.known[start.assignment] = start.klNats }
        guard var best = measured.first else { return nil }
        for start in measured.prefix(Self.climbs) {
            let top = try climb(from: start, &search, progress: progress)
            if top.klNats < best.klNats { best = top }
        }
        // The best of all climbs stands last.
        let taken = search.taken.enumerated().sorted {
            ($0.element.klNats, -$0.offset) > ($1.element.klNats, -$1.offset)
        }.map(\.element)
        return Result(
            assignment: best.assignment, losses: best.losses, klNats: best.klNats,
            taken: taken.compactMap { step in step.proof.map { (step.assignment, step.losses, $0) } },
            rounds: search.rounds, measurements: search.count)
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
    }

    /// What all climbs know and have done.
    private struct Search {
        var known: [Assignment: Double] = [:]
        var taken: [Step] = []
        var rounds: [PlanningRound] = []
        var count = 0
    }

    /// Starts that are climbed from.
    static var climbs: Int { 2 }
    /// Pairs of steps that are measured where single ones lead nowhere.
    static var pairCount: Int { 24 }

    /// Steps from `start` as long as they are measured to be better.
    private func climb(
        from start: Step, _ search: inout Search, progress: (PlanningRound) -> Void
    ) throws -> Step {
        var best = start
        var reach = 1
        while true {
            let neighbours = neighbours(of: best.assignment, reach: reach)
            guard search.count + neighbours.count < effort else { break }
            let cells = try measurer.losses(of: neighbours.map(\.assignment), around: best.assignment)
            search.count += neighbours.count
            let changes = zip(neighbours, cells).map { ($0, LossMeasurement($1).klNats - best.klNats) }
            let before = best.klNats
            var moves = measurer.layout.sublayers.count
            while moves >= 1, best.klNats == before,
                let step = try step(from: best.assignment, changes, moves: moves), step.moves > 0
            {
                moves = min(moves, step.moves) / 2
                let proof = SolvedLoss(step.solution, budgetBytes: budgetBytes, base: before)
                try take([(step.assignment, proof, step.moves)], &best, &search, progress)
            }
            if best.klNats == before, reach == Self.longestReach {
                try take(
                    pairs(from: best.assignment, changes, base: before, search.known), &best, &search,
                    progress)
            }
            // One step is measured again wherever something moved; more only where one step leads nowhere.
            if best.klNats < before {
                reach = 1
            } else if reach < Self.longestReach {
                reach += 1
            } else {
                break
            }
        }
        return best
    }

    /// Measures plans that are not known, and takes the best where it is better than `best`.
    private func take(
        _ plans: [(assignment: Assignment, proof: SolvedLoss, moves: Int)], _ best: inout Step,
        _ search: inout Search, _ progress: (PlanningRound) -> Void
    ) throws {
        let plans = plans.filter { search.known[$0.assignment] == nil }.prefix(max(0, effort - search.count))
        let losses = try measurer.losses(of: plans.map(\.assignment), around: best.assignment)
        search.count += plans.count
        let base = best.klNats
        let steps = zip(plans, losses).map { plan, losses in
            Step(assignment: plan.assignment, losses: losses, proof: plan.proof)
        }
        for step in steps { search.known[step.assignment] = step.klNats }
        guard let top = steps.indices.min(by: { steps[$0].klNats < steps[$1].klNats }) else { return }
        let round = PlanningRound(
            moves: plans[top].moves, predictedKL: plans[top].proof.klNats,
            measuredKL: steps[top].klNats, isAccepted: steps[top].klNats < base)
        search.rounds.append(round)
        progress(round)
        if round.isAccepted {
            best = steps[top]
            search.taken.append(best)
        }
    }

    private struct Neighbour {
        let index: Int
        let scheme: Scheme
        let assignment: Assignment
    }

    /// Steps up and down a ladder that are tried where one step leads nowhere.
    static var longestReach: Int { 2 }

    /// Every sublayer up to `reach` steps up and down its ladder, alone.
    private func neighbours(of assignment: Assignment, reach: Int) -> [Neighbour] {
        assignment.indices.flatMap { index -> [Neighbour] in
            let ladder = ladders[index]
            let places: [Int]
            if let place = ladder.firstIndex(of: assignment[index]) {
                places = (1...reach).flatMap { [place - $0, place + $0] }
            } else {
                // Not on the ladder (a preset's scheme): its neighbours in bytes.
                let sublayer = measurer.layout.sublayers[index]
                let bytes = sublayer.sizeInBytes(assignment[index])
                let above = ladder.firstIndex { sublayer.sizeInBytes($0) > bytes } ?? ladder.count
                places = (1...reach).flatMap { [above - $0, above + $0 - 1] }
            }
            return places.filter(ladder.indices.contains).map { place in
                var changed = assignment
                changed[index] = ladder[place]
                return Neighbour(index: index, scheme: ladder[place], assignment: changed)
            }
        }
    }

    /// Pairs of measured steps of two sublayers that fit the budget together, least predicted loss first.
    private func pairs(
        from assignment: Assignment, _ changes: [(Neighbour, Double)], base: Double,
        _ known: [Assignment: Double]
    ) -> [(assignment: Assignment, proof: SolvedLoss, moves: Int)] {
        let bytes = assignment.indices.map { measurer.layout.sublayers[$0].sizeInBytes(assignment[$0]) }
        let total = measurer.layout.sizeInBytes(assignment)
        func growth(_ step: Neighbour) -> Int {
            measurer.layout.sublayers[step.index].sizeInBytes(step.scheme) - bytes[step.index]
        }
        var pairs: [(first: Int, second: Int, loss: Double)] = []
        for first in changes.indices {
            for second in changes.indices.dropFirst(first + 1)
            where changes[first].0.index != changes[second].0.index
                && total + growth(changes[first].0) + growth(changes[second].0) <= budgetBytes
            { pairs.append((first, second, changes[first].1 + changes[second].1)) }
        }
        pairs.sort { ($0.loss, $0.first, $0.second) < ($1.loss, $1.first, $1.second) }
        return pairs.prefix(Self.pairCount).compactMap { pair in
            let chosen = [changes[pair.first], changes[pair.second]]
            var moved = assignment
            for change in chosen { moved[change.0.index] = change.0.scheme }
            guard known[moved] == nil else { return nil }
            return (moved, SolvedLoss(klNats: base + pair.loss), 2)
        }
    }

    /// The best assignment among the measured steps from `assignment`, moving at most so many sublayers.
    private func step(
        from assignment: Assignment, _ changes: [(Neighbour, Double)], moves: Int
    ) throws -> (assignment: Assignment, solution: AllocationSolution, moves: Int)? {
        let sublayers = measurer.layout.sublayers
        let options = assignment.indices.map { index -> [(scheme: Scheme, loss: Double)] in
            [(assignment[index], 0)] + changes.filter { $0.0.index == index }.map { ($0.0.scheme, $0.1) }
        }
        let problem = AllocationProblem(
            items: assignment.indices.map { index in
                AllocationProblem.Item(
                    name: sublayers[index].name.description,
                    options: options[index].enumerated().map { place, option in
                        AllocationProblem.Option(
                            label: option.scheme.description, loss: option.loss,
                            costs: [Double(sublayers[index].sizeInBytes(option.scheme)), place == 0 ? 0 : 1])
                    })
            },
            budgets: [
                .init(
                    name: "bytes", limit: Double(budgetBytes), fixedCost: Double(measurer.layout.fixedBytes)),
                .init(name: "moves", limit: Double(moves)),
            ])
        guard let solution = try? problem.solve() else { return nil }
        let chosen = zip(options, solution.choice).map { $0[$1].scheme }
        return (chosen, solution, solution.choice.count { $0 != 0 })
    }
}
