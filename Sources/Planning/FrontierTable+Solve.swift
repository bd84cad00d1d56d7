import BitplanAllocation
import PlanFormat

extension FrontierTable {
    /// The trade-off of bytes against summed loss of a sensitivity table, from the smallest plan to the best
    /// one.
    ///
    /// Complete where all Pareto-optimal plans can be enumerated within `effort`; otherwise the hull's
    /// vertices and the exact optima at the bytes of the plans beside it and at `sizes`.
    /// - Parameters:
    ///   - sizes: where a plan is wanted in any case.
    ///   - plan: the chosen plan, for its place and its prices; `presets` by name stand beside it.
    ///   - profile: what its prices of a millisecond follow from.
    ///   - listing: how many points, evenly over all, list their schemes in any case.
    /// - Throws: `PlanError` where the plan is for another model, `PlanningError` where no plan has a size,
    ///   `AllocationError`, `LatencyError`.
    package init(
        _ table: SensitivityTable, sizes: [SizeTarget] = [], plan: Plan? = nil,
        profile: LatencyProfile? = nil, listing: Int = 0, effort: Int = 1_000_000
    ) throws {
        try plan?.check(for: table.model)
        let layout = table.layout
        let (problem, options) = AllocationProblem.additive(table, budgetBytes: layout.fullPrecisionBytes)
        let known = try Self.knownPlans(table, plan)
        let wanted = sizes.map { $0.bytes(of: layout) }
        let range = try problem.costRange(of: "bytes")
        for bytes in wanted where Double(bytes) < range.lowerBound {
            throw PlanningError.sizeNotMet(bytes: bytes, smallest: Int(range.lowerBound))
        }
        let frontier = try problem.frontier(
            of: "bytes", exactAt: (wanted + known.map(\.bytes)).map(Double.init), effort: effort)
        let optima = wanted.map { frontier.index(atMost: Double($0)) }
        // Schemes are listed where a reader may want to take the plan: everywhere they would make the file
        // long.
        let (count, even) = (frontier.points.count, min(listing, frontier.points.count))
        let listed = Set(
            frontier.hull + [frontier.knee].compactMap { $0 } + optima.compactMap { $0 }
                + (0..<even).map { $0 * count / even })
        let points = frontier.points.enumerated().map { index, point in
            Point(
                bytes: Int(point.cost), klNats: point.loss,
                sublayers: listed.contains(index)
                    ? Dictionary(
                        uniqueKeysWithValues: zip(
                            layout.sublayers.map(\.name.description),
                            zip(options, point.choice).map { $0[$1] })) : nil
            )
        }
        let asked = zip(wanted, optima).compactMap { size, index in
            index.map { index in
                PlanPoint(
                    origin: .optimum(bytes: size), kind: .optimum, bytes: points[index].bytes,
                    predictedKL: points[index].klNats, measuredKL: nil, leastKL: points[index].klNats)
            }
        }
        self.init(
            model: table.model, provenance: table.provenance, proxy: table.proxy,
            fullPrecisionBytes: layout.fullPrecisionBytes,
            extent: frontier.extent == .complete ? .complete : .sampled, points: points, knee: frontier.knee,
            plans: known.map { known in
                PlanPoint(
                    origin: known.origin, kind: known.kind, bytes: known.bytes,
                    predictedKL: known.predictedKL,
                    measuredKL: known.measured?.klNats, measuredInterval: known.measured?.klInterval,
                    leastKL: frontier.index(atMost: Double(known.bytes)).map { points[$0].klNats })
            } + asked,
            prices: try plan.map { try PlanPrices(of: $0, in: table, profile: profile) })
    }

    private typealias Known = (
        origin: PlanOrigin, kind: PlanPoint.Kind, bytes: Int, predictedKL: Double?,
        measured: Plan.MeasuredPlan?
    )

    /// Uniform plans of all candidates, the presets that fit the model, and what the chosen plan's file says
    /// was measured.
    private static func knownPlans(_ table: SensitivityTable, _ plan: Plan?) throws -> [Known] {
        let layout = table.layout
        let measured = (plan?.measured ?? []) + (plan?.overBudget ?? [])
        func known(_ origin: PlanOrigin, _ kind: PlanPoint.Kind, _ schemes: [Scheme]) -> Known {
            let bytes = layout.sizeInBytes(schemes)
            return (
                origin, kind, bytes, table.summedLoss(of: schemes),
                measured.first { $0.origin == origin && $0.bytes == bytes }
            )
        }
        var plans = layout.uniformCandidates(table.candidates).map { scheme in
            known(.uniform(scheme), .uniform, layout.uniform(scheme))
        }
        if let chung = layout.chung() { plans.append(known(.preset(.chung(ratio: 1)), .preset, chung)) }
        guard let plan else { return plans }
        let chosen = known(plan.origin ?? .named("plan"), .chosen, try plan.schemes(of: layout))
        // A chosen plan that is a uniform one or a preset is shown once, as chosen.
        plans.removeAll { $0.origin == chosen.origin && $0.bytes == chosen.bytes }
        let others = measured.filter { other in
            other.origin != chosen.origin && !plans.contains { $0.origin == other.origin }
        }
        plans += others.map { ($0.origin, .measured, $0.bytes, nil, $0) }
        return plans + [chosen]
    }
}
