import BitplanAllocation
import BitplanLatency
import PlanFormat

extension PlanPrices {
    /// The prices at a plan: from the steps that were measured around it, else from the table's cells.
    ///
    /// A sublayer whose scheme the table does not have (a preset's) gets no steps. A step is a near-tie where
    /// its 95% interval holds the loss that its bytes are worth at the margin. An exchange lies within the
    /// noise where the interval of its change holds 0; the interval is as wide as it can be, since how the
    /// errors of two steps go together is not known.
    /// - Parameters:
    ///   - profile: what prices of a millisecond follow from, counted for the table's mean item.
    ///   - listed: how many exchanges are listed.
    /// - Throws: `PlanError` where the plan does not fit the table's model, `AllocationError`,
    ///   `LatencyError`.
    package init(
        of plan: Plan, in table: SensitivityTable, profile: LatencyProfile? = nil, listed: Int = 8
    ) throws {
        let layout = table.layout
        let schemes = try plan.schemes(of: layout)
        let seconds = try profile.map { try StepSeconds($0, table, schemes) }
        let measured = try plan.steps(of: layout)
        let steps = Dictionary(
            grouping: measured.isEmpty ? table.steps(from: schemes) : measured, by: \.sublayer)
        let options = layout.sublayers.map {
            (steps[$0.name] ?? []).sorted { $0.bytesChange < $1.bytesChange }
        }
        let bytes = layout.sizeInBytes(schemes)
        let items = try options.indices.map { index in
            // The plan's own option first: no loss and no cost relative to the plan.
            AllocationProblem.Item(
                name: layout.sublayers[index].name.description,
                options: [.init(label: "", loss: 0, costs: [0, 0])]
                    + (try options[index].map {
                        .init(
                            label: $0.scheme.description, loss: $0.klChange,
                            costs: [Double($0.bytesChange), try seconds?.change(index, to: $0.scheme) ?? 0])
                    }))
        }
        let problem = AllocationProblem(
            items: items,
            budgets: [.init(name: "bytes", fixedCost: Double(bytes)), .init(name: "seconds")])
        let prices = try problem.shadowPrices(of: layout.sublayers.map { _ in 0 }, in: "bytes")
        let margin = prices.lossPerUnit[0] * 1e6
        func step(_ name: SublayerName, _ step: ShadowPrices.Step?) -> SublayerStep? {
            step.flatMap { step in
                steps[name]?.first {
                    $0.scheme.description == step.label && $0.bytesChange == Int(step.costChanges[0])
                }
            }
        }
        let entries = zip(layout.sublayers.indices, prices.items).map { index, item -> Entry in
            let sublayer = layout.sublayers[index]
            let cheaper = step(sublayer.name, item.cheaper)
            let dearer = step(sublayer.name, item.dearer)
            let isTie = [cheaper, dearer].contains { step in
                guard let step, let reach = step.klPerMegabyteReach else { return false }
                return abs(step.klPerMegabyte - margin) <= reach
            }
            let size = sublayer.sizeInBytes(schemes[index])
            return Entry(
                sublayer: sublayer.name, scheme: schemes[index], bytes: size,
                bitsPerWeight: 8 * Double(size) / Double(max(1, sublayer.count)), cheaper: cheaper,
                dearer: dearer, isNearTie: isTie,
                cheaperSeconds: seconds == nil ? nil : item.cheaper?.costChanges[1],
                dearerSeconds: seconds == nil ? nil : item.dearer?.costChanges[1])
        }
        let ofTime = try seconds.map { _ in
            try problem.shadowPrices(of: layout.sublayers.map { _ in 0 }, in: "seconds").lossPerUnit[1]
        }
        let room = (plan.certificate?.budgetBytes ?? bytes) - bytes
        let exchanges = Self.exchanges(entries, room: room)
        self.init(
            basis: measured.isEmpty ? .table : .context, klPerMegabyte: margin,
            klPerMillisecond: ofTime.map { $0 / 1e3 }, sublayers: entries,
            exchanges: Array(exchanges.prefix(listed)), exchangeCount: exchanges.count)
    }

    /// What steps away from a plan add to the time of a table's mean item.
    private struct StepSeconds {
        let model: LatencyModel
        let workload: Workload
        let schemes: [Scheme]
        let set: LatencyModel.WorkingSet

        init(_ profile: LatencyProfile, _ table: SensitivityTable, _ schemes: [Scheme]) throws {
            guard let workload = table.workload else {
                throw PlanningError.noWorkload
            }
            model = try LatencyModel(profile, layout: table.layout, modelType: table.model.type)
            self.workload = workload
            self.schemes = schemes
            set = model.workingSet(schemes, workload)
        }

        func change(_ index: Int, to scheme: Scheme) throws -> Double {
            try model.productSeconds(of: index, scheme, workload, within: set)
                - model.productSeconds(of: index, schemes[index], workload, within: set)
        }
    }

    /// Exchanges of a step up and a step down that fit and cannot be told from no change, by their change of
    /// the loss.
    private static func exchanges(_ entries: [Entry], room: Int) -> [Exchange] {
        var exchanges: [(exchange: Exchange, place: Int)] = []
        for (upper, up) in entries.enumerated() {
            for (lower, down) in entries.enumerated() where upper != lower {
                guard let more = up.dearer, let less = down.cheaper, let error = more.standardError,
                    let otherError = less.standardError
                else { continue }
                let exchange = Exchange(up: more, down: less)
                guard exchange.bytesChange <= max(0, room),
                    abs(exchange.klChange) <= LossMeasurement.intervalFactor * (error + otherError)
                else { continue }
                exchanges.append((exchange, upper * entries.count + lower))
            }
        }
        return exchanges.sorted { ($0.exchange.klChange, $0.place) < ($1.exchange.klChange, $1.place) }
            .map(\.exchange)
    }
}
