import Allocation
import PlanFormat

extension PlanPrices {
    /// The prices at a plan: from the steps that were measured around it, else from the table's cells.
    ///
    /// A sublayer whose scheme the table does not have (a preset's) gets no steps. A step is a near-tie where its 95% interval holds the
    /// loss that its bytes are worth at the margin. An exchange lies within the noise where the interval of its change holds 0; the
    /// interval is as wide as it can be, since how the errors of two steps go together is not known.
    /// - Parameter listed: how many exchanges are listed.
    /// - Throws: `PlanError` where the plan does not fit the table's model, `AllocationError`.
    public init(of plan: Plan, in table: SensitivityTable, listed: Int = 8) throws {
        let layout = table.layout
        let schemes = try plan.schemes(of: layout)
        let measured = try plan.steps(of: layout)
        let steps = Dictionary(
            grouping: measured.isEmpty ? table.steps(from: schemes) : measured, by: \.sublayer)
        let options = layout.sublayers.map {
            (steps[$0.name] ?? []).sorted { $0.bytesChange < $1.bytesChange }
        }
        let bytes = layout.sizeInBytes(schemes)
        let problem = AllocationProblem(
            items: zip(layout.sublayers, options).map { sublayer, steps in
                // The plan's own option first: no loss and no cost relative to the plan.
                AllocationProblem.Item(
                    name: sublayer.name.description,
                    options: [.init(label: "", loss: 0, costs: [0])]
                        + steps.map {
                            .init(
                                label: $0.scheme.description, loss: $0.klChange,
                                costs: [Double($0.bytesChange)])
                        })
            },
            budgets: [.init(name: "bytes", fixedCost: Double(bytes))])
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
                dearer: dearer, isNearTie: isTie)
        }
        let room = (plan.certificate?.budgetBytes ?? bytes) - bytes
        let exchanges = Self.exchanges(entries, room: room)
        self.init(
            basis: measured.isEmpty ? .table : .context, klPerMegabyte: margin, sublayers: entries,
            exchanges: Array(exchanges.prefix(listed)), exchangeCount: exchanges.count)
    }

    /// Exchanges of a step up and a step down that fit and cannot be told from no change, by their change of the loss.
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
