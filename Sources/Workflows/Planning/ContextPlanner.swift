import Allocation
import Metrics
import Models
import PlanFormat
import Sensitivity

/// Plans from losses measured around an operating point.
///
/// Losses of sublayers do not add up at low bits, so the table measured from full precision misleads. Around a plan they nearly do:
/// every sublayer is measured one step up and one step down from it, the exact optimum of these cells within one step is solved,
/// measured, and taken where it is better; then again from there. Where the prediction fails the step is halved: fewer sublayers may
/// move at a time.
public struct ContextPlanner<Family: ModelFamily> {
    public let measurer: Measurer<Family>
    /// Schemes of each sublayer in order of their bytes.
    public let ladders: [[Scheme]]
    /// Most bytes of all tensors, FP32 parts included.
    public let budgetBytes: Int
    /// Most measurements, cells and plans together.
    public let effort: Int

    /// A plan with its loss and how it was reached.
    public struct Result: Sendable {
        public let assignment: Assignment
        public let losses: [ItemLoss]
        public let klNats: Double
        public let rounds: [PlanningRound]
        /// Measurements that were made.
        public let measurements: Int
        /// The solver's answer of the last accepted round, and the loss that it predicted; nil where the start was not improved.
        public let certificate: Plan.Certificate?
        public let predictedKL: Double?
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

    /// Improves the best of `starts`, all of which must fit the budget.
    ///
    /// - Parameter progress: called with each round.
    public func improve(
        _ starts: [(assignment: Assignment, losses: [ItemLoss])], progress: (PlanningRound) -> Void = { _ in }
    ) throws -> Result? {
        let measured = starts.map {
            (assignment: $0.assignment, losses: $0.losses, kl: LossMeasurement($0.losses).klNats)
        }
        guard var best = measured.min(by: { $0.kl < $1.kl }) else { return nil }
        var rounds: [PlanningRound] = []
        var count = 0
        var certificate: Plan.Certificate?
        var predictedKL: Double?
        var known: [Assignment: Double] = [:]
        for start in measured { known[start.assignment] = start.kl }
        search: while true {
            let neighbours = neighbours(of: best.assignment)
            guard count + neighbours.count < effort else { break }
            let cells = try measurer.losses(of: neighbours.map(\.assignment), around: best.assignment)
            count += neighbours.count
            let changes = zip(neighbours, cells).map { ($0, LossMeasurement($1).klNats - best.kl) }
            var moves = measurer.layout.sublayers.count
            var isImproved = false
            while moves >= 1, count < effort {
                guard let step = try step(from: best.assignment, changes, moves: moves) else { break }
                if step.assignment == best.assignment { break }
                let predicted = best.kl + step.solution.loss
                if known[step.assignment] == nil {
                    let losses = try measurer.losses(of: [step.assignment], around: best.assignment)[0]
                    count += 1
                    let kl = LossMeasurement(losses).klNats
                    known[step.assignment] = kl
                    let round = PlanningRound(
                        moves: step.moves, predictedKL: predicted, measuredKL: kl, isAccepted: kl < best.kl)
                    rounds.append(round)
                    progress(round)
                    if kl < best.kl {
                        certificate = Plan.Certificate(step.solution, budgetBytes: budgetBytes, base: best.kl)
                        predictedKL = predicted
                        best = (step.assignment, losses, kl)
                        isImproved = true
                        break
                    }
                }
                moves = min(moves, step.moves) / 2
            }
            if !isImproved { break search }
        }
        return Result(
            assignment: best.assignment, losses: best.losses, klNats: best.kl, rounds: rounds,
            measurements: count,
            certificate: certificate, predictedKL: predictedKL)
    }

    private struct Neighbour {
        let index: Int
        let scheme: Scheme
        let assignment: Assignment
    }

    /// Every sublayer one step up and one step down its ladder, alone.
    private func neighbours(of assignment: Assignment) -> [Neighbour] {
        assignment.indices.flatMap { index -> [Neighbour] in
            let ladder = ladders[index]
            let places: [Int]
            if let place = ladder.firstIndex(of: assignment[index]) {
                places = [place - 1, place + 1]
            } else {
                // Not on the ladder (a preset's scheme): its neighbours in bytes.
                let sublayer = measurer.layout.sublayers[index]
                let bytes = sublayer.sizeInBytes(assignment[index])
                let above = ladder.firstIndex { sublayer.sizeInBytes($0) > bytes } ?? ladder.count
                places = [above - 1, above]
            }
            return places.filter(ladder.indices.contains).map { place in
                var changed = assignment
                changed[index] = ladder[place]
                return Neighbour(index: index, scheme: ladder[place], assignment: changed)
            }
        }
    }

    /// The best assignment within one step of `assignment`, moving at most so many sublayers.
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
