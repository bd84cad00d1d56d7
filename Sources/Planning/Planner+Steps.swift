import BitplanMetrics
import PlanFormat

extension Planner {
    /// What one step up and one step down of every sublayer change, measured around a plan: why it has the
    /// bits that it has.
    ///
    /// Errors are those of paired differences: every step is measured on the plan's own sentences.
    /// - Complexity: a measurement for every step, and one for the plan.
    func steps(
        around assignment: Assignment, _ candidates: [Scheme]
    ) throws -> [SublayerStep] {
        let layout = space.layout
        var steps: [(index: Int, scheme: Scheme, bytesChange: Int)] = []
        for (index, sublayer) in layout.sublayers.enumerated() {
            let bytes = sublayer.sizeInBytes(assignment[index])
            let changes = sublayer.options(candidates).map {
                (index, $0, sublayer.sizeInBytes($0) - bytes)
            }
            .sorted { ($0.2, $0.1.description) < ($1.2, $1.1.description) }
            steps += [changes.last { $0.2 < 0 }, changes.first { $0.2 > 0 }].compactMap { $0 }
        }
        let changed = steps.map { step in
            var other = assignment
            other[step.index] = step.scheme
            return other
        }
        let losses = try measurer.losses(of: [assignment] + changed, around: assignment)
        let base = losses[0].map(\.kl)
        return try zip(steps, losses.dropFirst()).map { step, losses in
            let difference = losses.map(\.kl).reduce(.zero, +).natsPerToken ?? 0
            let error =
                base.count > 1
                ? try Estimate.pairedDifference(baseline: base, candidate: losses.map(\.kl)) : nil
            return SublayerStep(
                sublayer: layout.sublayers[step.index].name, scheme: step.scheme,
                bytesChange: step.bytesChange,
                klChange: difference - (base.reduce(.zero, +).natsPerToken ?? 0),
                standardError: error?.standardError)
        }
    }
}
