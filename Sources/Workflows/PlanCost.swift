import BitplanLatency
import BitplanModels
import BitplanTensors
import Foundation
import PlanFormat

/// What a plan costs to store and to run, without encoding it.
package struct PlanCost: Codable, Sendable {
    /// The plan.
    package let name: String
    /// Bytes of all tensors.
    package let bytes: Int
    /// Predicted seconds of an item; nil without a profile.
    package let seconds: Double?
    /// The part of them that is spent outside of products.
    package let overheadSeconds: Double?
    /// Measured seconds of an item, the median; nil where nothing was measured.
    package let measuredSeconds: Double?
    /// Half the distance of the quartiles of what was measured, as a part of the median.
    package let spread: Double?
    /// What was measured, brought to the speed that the machine had while no other process slowed it: the
    /// median of ratios to the profile's reference work, done before and after.
    package let undisturbedSeconds: Double?
    /// Joules of an item's arithmetic, by process.
    package let joules: [String: Double]
}

/// What plans of a model cost for an item of that size.
///
/// - Parameters:
///   - plans: plans by name, schemes in order of their layout.
///   - rounds: where given, every plan is also run so many times, in alternation, over random weights of its
///     schemes, which take as long as any others. The time is what the thread computes.
/// - Throws: `LatencyError` where the profile cannot say; one-line errors of the model.
package func costs<Family: ModelFamily>(
    _ family: Family, of plans: [(name: String, layout: ModelLayout, schemes: [Scheme])], workload: Workload,
    profile: LatencyProfile?, rounds: Int? = nil
) throws -> [PlanCost] {
    let predictions = try plans.map { plan in
        try profile.map {
            try LatencyModel($0, layout: plan.layout, modelType: Family.modelType)
                .predict(plan.schemes, workload)
        }
    }
    let measured = try rounds.map {
        try measure(
            family, plans.map { $0.layout.tensorSchemes($0.schemes) }, workload, rounds: $0,
            unit: profile?.machine.referenceSeconds)
    }
    return plans.enumerated().map { index, plan in
        let joules = Energy.Process.allCases.compactMap { process in
            plan.layout.energy(plan.schemes, workload, process).map { (process.rawValue, $0.joules) }
        }
        return PlanCost(
            name: plan.name, bytes: plan.layout.sizeInBytes(plan.schemes),
            seconds: predictions[index]?.seconds, overheadSeconds: predictions[index]?.overhead,
            measuredSeconds: measured?[index].seconds.median, spread: measured?[index].seconds.spread,
            undisturbedSeconds: measured?[index].undisturbed.median,
            joules: Dictionary(uniqueKeysWithValues: joules))
    }
}

/// Seconds of an item under each plan, the plans in alternation: as measured, and in units of the reference
/// work times `unit`.
private func measure<Family: ModelFamily>(
    _ family: Family, _ plans: [TensorSchemes], _ workload: Workload, rounds: Int, unit: Double?
) throws -> [(seconds: Timing, undisturbed: Timing)] {
    let vectors = Dictionary(
        uniqueKeysWithValues: family.vectors.map { ($0.name, [Float](repeating: 0.01, count: $0.count)) })
    let networks = try plans.map { schemes in
        var table = WeightTable(matrices: [:], vectors: vectors)
        for shape in family.layout.sublayers.flatMap(\.matrices) {
            table.matrices[shape.tensor] = try RandomWeights.make(
                schemes[shape.tensor], rows: shape.rows, columns: shape.columns,
                seed: UInt64(table.matrices.count))
        }
        return try family.network(table)
    }
    let reference = try ReferenceWork()
    var seconds = [[Double]](repeating: [], count: plans.count)
    var ratios = seconds
    for round in 0...max(1, rounds) {
        for (index, network) in networks.enumerated() {
            // A plan's weights are where its last item left them; the first round is not counted.
            network.perform(workload)
            var time = 0.0
            let ratio = reference.ratio {
                time = threadSeconds { network.perform(workload) }
            }
            if round > 0 {
                seconds[index].append(time)
                ratios[index].append(ratio)
            }
        }
    }
    let scale = unit ?? reference.undisturbedSeconds
    return zip(seconds, ratios).map { (Timing($0), Timing($1.map { scale * $0 })) }
}
