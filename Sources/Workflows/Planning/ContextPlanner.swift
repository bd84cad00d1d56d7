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
public struct ContextPlanner<Family: ModelFamily> {
    /// What measures cells and plans.
    public let measurer: Measurer<Family>
    /// What the target admits.
    public let space: PlanSpace
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

    /// A planner of the plans that a target admits.
    public init(_ measurer: Measurer<Family>, space: PlanSpace, effort: Int) {
        self.measurer = measurer
        self.space = space
        self.effort = effort
    }

    /// Improves the best of `starts`, all of which the target must admit.
    ///
    /// - Parameter progress: called with each round.
    public func improve(
        _ starts: [(assignment: Assignment, losses: [ItemLoss])], progress: (PlanningRound) -> Void = { _ in }
    ) throws -> Result? {
        let measured = starts.map {
            (assignment: $0.assignment, losses: $0.losses, kl: LossMeasurement($0.losses).klNats)
        }
        guard
            var best = measured.min(by: {
                space.merit($0.assignment, klNats: $0.kl) < space.merit($1.assignment, klNats: $1.kl)
            })
        else { return nil }
        var rounds: [PlanningRound] = []
        var count = 0
        var known: [Assignment: Double] = [:]
        for start in measured { known[start.assignment] = start.kl }
        var taken: [(assignment: Assignment, losses: [ItemLoss], proof: SolvedLoss)] = []
        var reach = 1
        while true {
            let neighbours = neighbours(of: best.assignment, reach: reach)
            guard count + neighbours.count < effort else { break }
            let cells = try measurer.losses(of: neighbours.map(\.assignment), around: best.assignment)
            count += neighbours.count
            let changes = zip(neighbours, cells).map { ($0, LossMeasurement($1).klNats - best.kl) }
            var moves = space.groups.count
            var isImproved = false
            while moves >= 1, count < effort, !isImproved,
                let step = try step(from: best.assignment, klNats: best.kl, changes, moves: moves),
                step.moves > 0
            {
                moves = min(moves, step.moves) / 2
                guard known[step.assignment] == nil else { continue }
                let losses = try measurer.losses(of: [step.assignment], around: best.assignment)[0]
                count += 1
                let base = best.kl
                let predicted = base + step.solution.loss
                let kl = LossMeasurement(losses).klNats
                known[step.assignment] = kl
                isImproved =
                    space.merit(step.assignment, klNats: kl)
                    < space.merit(best.assignment, klNats: best.kl)
                let round = PlanningRound(
                    moves: step.moves, predictedKL: predicted, measuredKL: kl, isAccepted: isImproved)
                rounds.append(round)
                progress(round)
                if isImproved {
                    best = (step.assignment, losses, kl)
                    taken.append(
                        (
                            step.assignment, losses,
                            SolvedLoss(step.solution, space, base: base, minimized: step.minimized)
                        ))
                }
            }
            // One step is measured again wherever something moved; two steps only where one step leads nowhere.
            if isImproved {
                reach = 1
            } else if reach < Self.longestReach {
                reach += 1
            } else {
                break
            }
        }
        return Result(
            assignment: best.assignment, losses: best.losses, klNats: best.kl, taken: taken, rounds: rounds,
            measurements: count)
    }

    private struct Neighbour {
        let group: Int
        let scheme: Scheme
        let assignment: Assignment
    }

    /// Steps up and down a ladder that are tried where one step leads nowhere.
    static var longestReach: Int { 2 }

    /// Every sublayer, or group of tied ones, up to `reach` steps up and down its ladder, alone.
    private func neighbours(of assignment: Assignment, reach: Int) -> [Neighbour] {
        space.groups.indices.flatMap { index -> [Neighbour] in
            let (members, ladder) = (space.groups[index], space.ladders[index])
            let places: [Int]
            if let place = ladder.firstIndex(of: assignment[members[0]]) {
                places = (1...reach).flatMap { [place - $0, place + $0] }
            } else {
                // Not on the ladder (a preset's scheme): its neighbours in bytes.
                func bytes(_ scheme: Scheme) -> Int {
                    members.reduce(0) { $0 + measurer.layout.sublayers[$1].sizeInBytes(scheme) }
                }
                let now = bytes(assignment[members[0]])
                let above = ladder.firstIndex { bytes($0) > now } ?? ladder.count
                places = (1...reach).flatMap { [above - $0, above + $0 - 1] }
            }
            return places.filter(ladder.indices.contains).map { place in
                var changed = assignment
                for member in members { changed[member] = ladder[place] }
                return Neighbour(group: index, scheme: ladder[place], assignment: changed)
            }
        }
    }

    /// The best assignment among the measured steps from `assignment`, moving at most so many sublayers or groups.
    private func step(
        from assignment: Assignment, klNats: Double, _ changes: [(Neighbour, Double)], moves: Int
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
