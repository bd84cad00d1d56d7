import BitplanAllocation

/// The best plan by trying all, judged by `check`: objective, then loss; nil where none is feasible.
func bruteForce(_ problem: AllocationProblem) throws -> (objective: Double, loss: Double)? {
    var best: (objective: Double, loss: Double)?
    var choice = problem.items.map { _ in 0 }
    while true {
        let evaluation = try problem.check(choice)
        if evaluation.isFeasible {
            var objective = evaluation.loss
            if case .cost(let name, _) = problem.objective, let index = problem.budgetIndex(name) {
                objective = evaluation.costs[index]
            }
            if best.map({ (objective, evaluation.loss) < $0 }) ?? true { best = (objective, evaluation.loss) }
        }
        var position = choice.count - 1
        while position >= 0, choice[position] + 1 == problem.items[position].options.count {
            choice[position] = 0
            position -= 1
        }
        if position < 0 { return best }
        choice[position] += 1
    }
}
