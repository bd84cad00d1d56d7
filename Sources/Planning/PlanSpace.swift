import BitplanAllocation
import BitplanLatency
import PlanFormat

/// The plans of a model that a target admits: what every sublayer may become, and what that costs.
package struct PlanSpace: Sendable {
    /// The sublayers.
    package let layout: ModelLayout
    /// Kinds of cost with their limits, bytes first.
    package let budgets: [AllocationProblem.Budget]
    /// Sublayers that become the same, by index; most stand alone.
    package let groups: [[Int]]
    /// What each group may become, in order of bytes.
    package let ladders: [[Scheme]]
    /// What is minimized.
    package let goal: PlanTarget.Goal
    /// The item that seconds and joules are counted for; nil where neither is.
    package let workload: Workload?
    /// What each of `budgets` counts.
    private let kinds: [Plan.Cost]
    private let latency: LatencyModel?
    /// How much weights plans may have between two uses of one: a sublayer's seconds are the most in any of
    /// these.
    private var workingSets: [LatencyModel.WorkingSet]
    private let process: Energy.Process
    /// Per sublayer, what constraints leave of the candidates; nil where they leave all, and anything else is
    /// welcome too.
    private let allowed: [Set<Scheme>?]
    /// Per sublayer, the costs of each candidate.
    private var costs: [[Scheme: [Double]]]

    /// Resolves a target for a model.
    ///
    /// - Parameters:
    ///   - candidates: what every sublayer may become where the target says nothing.
    ///   - workload: the item that seconds and joules are counted for, where the target names none.
    /// - Throws: `PlanningError` for a target that says too little, `AllocationError` for constraints that no
    ///   sublayer or scheme answers to, `LatencyError` where the profile lacks something.
    package init(
        _ target: PlanTarget, layout: ModelLayout, modelType: String, candidates: [Scheme],
        workload: Workload?
    ) throws {
        try target.check()
        self.layout = layout
        goal = target.goal
        process = target.process
        var kinds: [Plan.Cost] = [.bytes]
        if let profile = target.profile {
            latency = try LatencyModel(profile, layout: layout, modelType: modelType)
            kinds.append(.seconds)
        } else {
            latency = nil
        }
        if target.joules != nil || target.goal.cost == .joules { kinds.append(.joules) }
        var item: Workload?
        if kinds.count > 1 {
            guard let work = target.workload ?? workload else {
                throw PlanningError.noWorkload
            }
            guard layout.work != nil else { throw LatencyError.noWork }
            item = work
        }
        self.workload = item
        self.kinds = kinds
        let sizeLimit = target.size?.bytes(of: layout)
        var sets: [LatencyModel.WorkingSet] = []
        if let latency, let item {
            sets = [
                try Self.workingSet(
                    latency, candidates, item, sizeLimit: sizeLimit, seconds: target.seconds)
            ]
        }
        workingSets = sets
        budgets = Self.budgets(target, kinds, layout, item, latency)
        var all: [[Scheme: [Double]]] = []
        for index in layout.sublayers.indices {
            var row: [Scheme: [Double]] = [:]
            for scheme in layout.sublayers[index].options(candidates) {
                row[scheme] = try Self.costs(
                    index, scheme, layout, kinds, item, latency, sets, process)
            }
            all.append(row)
        }
        costs = all
        (allowed, groups, ladders) = try Self.resolve(target, layout, candidates)
    }

    /// The limits of a target, with what is spent whatever the plan.
    private static func budgets(
        _ target: PlanTarget, _ kinds: [Plan.Cost], _ layout: ModelLayout, _ item: Workload?,
        _ latency: LatencyModel?
    ) -> [AllocationProblem.Budget] {
        kinds.map { kind in
            switch kind {
            case .bytes:
                .init(
                    name: kind.rawValue, limit: target.size.map { Double($0.bytes(of: layout)) },
                    fixedCost: Double(layout.fixedBytes))
            case .seconds:
                .init(
                    name: kind.rawValue, limit: target.seconds,
                    fixedCost: item.flatMap { latency?.overheadSeconds($0) } ?? 0)
            case .joules:
                .init(
                    name: kind.rawValue, limit: target.joules,
                    fixedCost: item.map { layout.attentionEnergy($0, target.process).joules } ?? 0)
            }
        }
    }

    /// Applies constraints to the candidates of every sublayer.
    private static func resolve(
        _ target: PlanTarget, _ layout: ModelLayout, _ candidates: [Scheme]
    ) throws(AllocationError) -> (allowed: [Set<Scheme>?], groups: [[Int]], ladders: [[Scheme]]) {
        var problem = AllocationProblem(
            items: layout.sublayers.map { sublayer in
                .init(
                    name: sublayer.name.description,
                    options: sublayer.options(candidates).map {
                        .init(label: $0.description, loss: 0, costs: [])
                    })
            }, budgets: [])
        for restriction in target.restrictions { try problem.restrict(restriction) }
        if let bits = target.minimumBits { try problem.requireBits(atLeast: bits) }
        if let tie = target.tie { problem.tie(tie) }
        let all = layout.sublayers.map { $0.options(candidates) }
        let left = zip(problem.items, all).map { item, options in
            let labels = Set(item.options.map(\.label))
            return options.filter { labels.contains($0.description) }
        }
        let allowed = zip(left, all).map { $0.count == $1.count ? nil : Set($0) }
        let tied = Set(problem.ties.joined())
        let groups = (problem.ties + layout.sublayers.indices.filter { !tied.contains($0) }.map { [$0] })
            .sorted { $0[0] < $1[0] }
        var ladders: [[Scheme]] = []
        for group in groups {
            func bytes(_ scheme: Scheme) -> Int {
                group.reduce(0) { $0 + layout.sublayers[$1].sizeInBytes(scheme) }
            }
            let common = left[group[0]].filter { scheme in group.allSatisfy { left[$0].contains(scheme) } }
            guard !common.isEmpty else {
                throw .tieWithoutCommonOption(items: group.map { layout.sublayers[$0].name.description })
            }
            ladders.append(common.sorted { (bytes($0), $0.description) < (bytes($1), $1.description) })
        }
        return (allowed, groups, ladders)
    }

    /// How much weights the plans to come have between two uses of one, as far as that is known before there
    /// is any: all that the size admits, else the least uniform plan that takes too long.
    private static func workingSet(
        _ model: LatencyModel, _ candidates: [Scheme], _ item: Workload, sizeLimit: Int?, seconds: Double?
    ) throws(LatencyError) -> LatencyModel.WorkingSet {
        let layout = model.layout
        if let sizeLimit { return model.workingSet(layout.uniform(.fp32), item, sizeInBytes: sizeLimit) }
        let bySize = candidates.map(layout.uniform).sorted { layout.sizeInBytes($0) < layout.sizeInBytes($1) }
        for schemes in bySize {
            if let seconds, try model.predict(schemes, item).seconds > seconds {
                return model.workingSet(schemes, item)
            }
        }
        return model.workingSet(bySize.last ?? layout.uniform(.fp32), item)
    }

    private static func costs(
        _ index: Int, _ scheme: Scheme, _ layout: ModelLayout, _ kinds: [Plan.Cost],
        _ item: Workload?, _ latency: LatencyModel?, _ sets: [LatencyModel.WorkingSet],
        _ process: Energy.Process
    ) throws(LatencyError) -> [Double] {
        var costs: [Double] = []
        for kind in kinds {
            switch kind {
            case .bytes: costs.append(Double(layout.sublayers[index].sizeInBytes(scheme)))
            case .seconds:
                guard let latency, let item else { throw .noWork }
                var seconds = 0.0
                for set in sets {
                    seconds = max(seconds, try latency.productSeconds(of: index, scheme, item, within: set))
                }
                costs.append(seconds)
            case .joules:
                guard let item else { throw .noWork }
                costs.append(layout.energy(of: index, scheme, item, process).joules)
            }
        }
        return costs
    }

    /// The most bytes; FP32's where there is no limit.
    package var budgetBytes: Int { budgets[0].limit.map { Int($0) } ?? layout.fullPrecisionBytes }

    /// The most of a cost; nil where it is not limited.
    func limit(of cost: Plan.Cost) -> Double? { kinds.firstIndex(of: cost).flatMap { budgets[$0].limit } }

    /// What a group costs under a scheme.
    ///
    /// - Throws: `LatencyError.noKernel` where the scheme was not measured.
    func cost(of group: Int, _ scheme: Scheme) throws(LatencyError) -> [Double] {
        var sum = [Double](repeating: 0, count: budgets.count)
        for member in groups[group] {
            let costs = try cost(ofSublayer: member, scheme)
            for place in sum.indices { sum[place] += costs[place] }
        }
        return sum
    }

    private func cost(ofSublayer index: Int, _ scheme: Scheme) throws(LatencyError) -> [Double] {
        if let known = costs[index][scheme] { return known }
        return try Self.costs(index, scheme, layout, kinds, workload, latency, workingSets, process)
    }

    /// What a plan costs, fixed costs included; nil where a scheme was not measured.
    package func costs(of schemes: [Scheme]) -> [Double]? {
        var sum = budgets.map(\.fixedCost)
        for (index, scheme) in schemes.enumerated() {
            guard let costs = try? cost(ofSublayer: index, scheme) else { return nil }
            for place in sum.indices { sum[place] += costs[place] }
        }
        return sum
    }

    /// How good a measured plan is; smaller is better.
    ///
    /// A plan that loses more than the target allows is worse than any that does not; then comes the cost,
    /// where a cost is minimized, and then the loss.
    func merit(_ schemes: [Scheme], klNats: Double) -> Merit {
        guard case .least(let cost, let maximumLoss) = goal else {
            return Merit(excess: 0, cost: 0, klNats: klNats)
        }
        let excess = max(0, klNats - maximumLoss)
        let place = kinds.firstIndex(of: cost) ?? 0
        return Merit(
            excess: excess, cost: excess > 0 ? 0 : costs(of: schemes)?[place] ?? .infinity, klNats: klNats)
    }

    struct Merit: Comparable {
        let excess: Double
        let cost: Double
        let klNats: Double

        static func < (left: Merit, right: Merit) -> Bool {
            (left.excess, left.cost, left.klNats) < (right.excess, right.cost, right.klNats)
        }
    }

    /// Whether the target admits a plan, its seconds being those in a model of its own size.
    package func admits(_ schemes: [Scheme]) -> Bool {
        guard let costs = costs(of: schemes), !isSlow(schemes) else { return false }
        return zip(budgets, costs).allSatisfy { budget, cost in budget.limit.map { cost <= $0 } ?? true }
            && zip(allowed, schemes).allSatisfy { $0?.contains($1) ?? true }
            && groups.allSatisfy { group in group.allSatisfy { schemes[$0] == schemes[group[0]] } }
    }

    /// Whether a plan takes longer in a model of its own size than the target admits, by more than the
    /// rounding of sums.
    private func isSlow(_ schemes: [Scheme]) -> Bool {
        guard let limit = limit(of: .seconds), let latency, let workload else { return false }
        return (try? latency.predict(schemes, workload).seconds).map { $0 > limit * (1 + 1e-9) } ?? true
    }

    /// The space with seconds in which the least of these losses that it admits keeps the limit in a model of
    /// its own size too: what does not is counted by that size as well, until none is left.
    func settled(_ table: SensitivityTable) throws -> PlanSpace {
        guard let latency, let workload, limit(of: .seconds) != nil else { return self }
        var space = self
        while let (schemes, _) = try? space.solved(table), space.isSlow(schemes) {
            space = try space.counting(latency.workingSet(schemes, workload))
        }
        return space
    }

    /// The space in which seconds are those of one more size of model, where they are more.
    private func counting(_ set: LatencyModel.WorkingSet) throws(LatencyError) -> PlanSpace {
        var space = self
        space.workingSets.append(set)
        for (index, row) in costs.enumerated() {
            for scheme in row.keys {
                space.costs[index][scheme] = try Self.costs(
                    index, scheme, layout, kinds, workload, latency, space.workingSets, process)
            }
        }
        return space
    }

    /// The nearest plan to a uniform one that constraints allow: every sublayer under the scheme, or the
    /// allowed one nearest in bytes.
    package func nearest(to scheme: Scheme) -> [Scheme] {
        var schemes = layout.uniform(scheme)
        for (group, ladder) in zip(groups, ladders) where !ladder.contains(schemes[group[0]]) {
            func bytes(_ scheme: Scheme) -> Int {
                group.reduce(0) { $0 + layout.sublayers[$1].sizeInBytes(scheme) }
            }
            let wanted = bytes(scheme)
            guard let near = ladder.min(by: { abs(bytes($0) - wanted) < abs(bytes($1) - wanted) }) else {
                continue
            }
            for member in group { schemes[member] = near }
        }
        return schemes
    }

    /// A problem over the groups: losses of the ladders' schemes, or of those of them that `schemes` names
    /// where there are any.
    ///
    /// - Parameter loss: the loss of a sublayer under a scheme; those of a group add up.
    func problem(
        schemes: [Scheme]? = nil, loss: (Int, Scheme) -> Double?
    ) throws -> SchemeProblem {
        var options: [[Scheme]] = []
        let items = try groups.indices.map { group in
            let named = ladders[group].filter { schemes?.contains($0) ?? true }
            var losses: [Double] = []
            options.append([])
            for scheme in named.isEmpty ? ladders[group] : named {
                let known = groups[group].compactMap { loss($0, scheme) }
                guard known.count == groups[group].count else { continue }
                losses.append(known.reduce(0, +))
                options[group].append(scheme)
            }
            return AllocationProblem.Item(
                name: groups[group].map { layout.sublayers[$0].name.description }.joined(separator: "+"),
                options: try zip(options[group], losses).map { scheme, loss in
                    .init(label: scheme.description, loss: loss, costs: try cost(of: group, scheme))
                })
        }
        return SchemeProblem(
            problem: AllocationProblem(items: items, budgets: budgets, objective: goal.objective),
            options: options)
    }

    /// The schemes of all sublayers, given those of the groups.
    func assignment(_ chosen: [Scheme]) -> [Scheme] {
        var schemes = [Scheme](repeating: .fp32, count: layout.sublayers.count)
        for (group, scheme) in zip(groups, chosen) { for member in group { schemes[member] = scheme } }
        return schemes
    }

    /// Checks by costs alone that some plan meets all limits.
    ///
    /// - Throws: `AllocationError.infeasible`, which names the budget at fault and says by how much.
    package func checkReachable() throws {
        var problem = try problem { _, _ in 0 }.problem
        problem.objective = .loss
        _ = try problem.solve()
    }

    /// What a plan is predicted to cost, its seconds in a model of its own size.
    package func prediction(
        _ schemes: [Scheme], klNats: Double?, klInterval: Interval? = nil
    ) -> Plan.Prediction {
        let seconds = workload.flatMap { try? latency?.predict(schemes, $0).seconds }
        let joules =
            kinds.contains(.joules)
            ? workload.flatMap { layout.energy(schemes, $0, process)?.joules } : nil
        return .init(
            bytes: layout.sizeInBytes(schemes), fixedBytes: layout.fixedBytes, klNats: klNats,
            klInterval: klInterval, seconds: seconds, joules: joules)
    }
}

/// A problem whose options are schemes: what an index of a choice stands for is kept beside it.
struct SchemeProblem {
    var problem: AllocationProblem
    /// Per item, the schemes of its options.
    let options: [[Scheme]]

    /// Solves it: the scheme of every item, and what the solver says.
    ///
    /// - Throws: `AllocationError`.
    func solve() throws -> (schemes: [Scheme], solution: AllocationSolution) {
        let solution = try problem.solve()
        return (zip(options, solution.choice).map { $0[$1] }, solution)
    }
}
