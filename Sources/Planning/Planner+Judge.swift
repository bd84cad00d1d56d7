import BitplanAllocation
import BitplanMetrics
import PlanFormat

/// Which of the plans is written.
///
/// KL decides: it is a mean over every prediction, and paired over the items it tells plans apart that the
/// task's metric does not. But KL teacher-forced on the references and what the model produces alone do not
/// always agree, so the metric may object: a plan whose metric is worse than that of the best uniform plan
/// within the budget, beyond what other items of the same kind would change (a paired bootstrap, 95%), is set
/// aside. A plan that ranks before that uniform plan has less KL, so the written one loses to it in neither.
///
/// With fewer than `PairedComparison.fewestItems` items a bootstrap does not know the metric's noise, and the
/// metric does not object.
extension Planner {
    /// A plan that may be written.
    struct Contender {
        let origin: PlanOrigin
        let assignment: Assignment
        let losses: [ItemLoss]
        /// What the solver predicted and proved; nil for a plan that it did not make.
        let proof: SolvedLoss?
        /// Whether it was measured and not taken: it is looked at only where all others are set aside.
        let isSpare: Bool
        var kl: Double { LossMeasurement(losses).klNats }
        var isPreset: Bool { if case .preset = origin { true } else { false } }
    }

    /// A contender measured as a packed model, and what the comparison with the best uniform plan says.
    struct Judged {
        let contender: Contender
        let bytes: Int
        let measurement: PlanMeasurement
        var against: PairedComparison?
        var setAside: Plan.MeasuredPlan.SetAside?
        var klNats: Double { measurement.mean.klNats }

        /// The plan as the written one records it.
        var record: Plan.MeasuredPlan {
            Plan.MeasuredPlan(
                origin: contender.origin, bytes: bytes, measurement, against: against, setAside: setAside)
        }
    }

    /// Those of least KL, and every plan that the written one must not lose to, measured as packed models and
    /// compared; best first (by KL, where no cost is minimized). The first that is not set aside is to be
    /// written.
    ///
    /// Where all of them are set aside, the next ones are measured too, as long as they have less KL than the
    /// uniform plan: no better plan that was found stays unwritten because it was not among the finalists.
    ///
    /// Where a cost is minimized there is nothing to weigh: the cheapest plan that loses little enough comes
    /// first.
    func judge(_ contenders: [Contender]) throws -> [Judged] {
        func merit(_ contender: Contender, _ klNats: Double) -> PlanSpace.Merit {
            space.merit(contender.assignment, klNats: klNats)
        }
        let byLoss = contenders.enumerated().map { (merit($1, $1.kl), $0, $1) }
            .sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
        let uniforms = Set(self.uniforms.map(\.assignment))
        let isUniform = { (contender: Contender) in uniforms.contains(contender.assignment) }
        let finalists = finalists(byLoss.filter { !$0.isSpare }, isUniform: isUniform)
        var judged: [Judged] = []
        func add(_ contenders: [Contender]) throws {
            let measurements = try measurer.packedMeasurements(of: contenders.map(\.assignment))
            judged += zip(contenders, measurements).map {
                Judged(contender: $0, bytes: space.layout.sizeInBytes($0.assignment), measurement: $1)
            }
            judged = judged.enumerated().map { (merit($1.contender, $1.klNats), $1.bytes, $0, $1) }
                .sorted { ($0.0, $0.1, $0.2) < ($1.0, $1.1, $1.2) }.map(\.3)
        }
        try add(finalists)
        guard space.goal == .leastLoss, let uniform = judged.first(where: { isUniform($0.contender) }) else {
            return judged
        }
        try compare(&judged, with: uniform)
        let rest = byLoss.filter { contender in
            contender.kl < uniform.klNats && !finalists.contains { $0.assignment == contender.assignment }
        }
        for contender in rest {
            guard let best = judged.first(where: { !isSetAside($0) }),
                best.contender.assignment == uniform.contender.assignment
            else { break }
            try add([contender])
            try compare(&judged, with: uniform)
        }
        // What stands behind the written plan needs no reason.
        for place in judged.indices {
            guard isSetAside(judged[place]) else { break }
            judged[place].setAside = .metric
        }
        return judged
    }

    /// Compares those that are not yet compared.
    private func compare(_ judged: inout [Judged], with uniform: Judged) throws {
        // The sum of losses may be a uniform plan too: it is compared with by its plain name.
        let origin = uniforms.first { $0.assignment == uniform.contender.assignment }?.origin
        let name = (origin ?? uniform.contender.origin).description
        for place in judged.indices
        where judged[place].against == nil
            && judged[place].contender.assignment != uniform.contender.assignment
        {
            judged[place].against = try judged[place].measurement.compared(
                with: uniform.measurement, named: name)
        }
    }

    /// Whether the metric objects.
    private func isSetAside(_ plan: Judged) -> Bool {
        guard let against = plan.against, let metric = against.metric,
            against.items >= PairedComparison.fewestItems
        else { return false }
        return prefersLessMetric ? metric.isAboveNoise : metric.isBelowNoise
    }

    /// Plans whose metric is measured in any case: those of least KL, the best uniform plan and the best
    /// preset.
    private func finalists(_ byLoss: [Contender], isUniform: (Contender) -> Bool) -> [Contender] {
        var finalists = Array(byLoss.prefix(Self.finalistCount))
        let rivals = [byLoss.first(where: isUniform), byLoss.first(where: \.isPreset)]
        for case let rival? in rivals where !finalists.contains(where: { $0.assignment == rival.assignment })
        {
            finalists.append(rival)
        }
        return finalists
    }

    /// How many plans of least KL get the task's metric before one is written.
    private static var finalistCount: Int { 4 }
}
