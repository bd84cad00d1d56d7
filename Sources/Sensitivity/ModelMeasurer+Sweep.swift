import BitplanEncoding
import BitplanModels
import BitplanTensors
import PlanFormat

/// What a sweep measures.
package struct SweepOptions: Sendable {
    /// The schemes of the columns.
    package var candidates: [Scheme]
    /// How many cells, those of largest KL first, get the task's metric too.
    package var metricCells = 0
    /// The schemes under which types and stacks are measured beside sublayers.
    package var groupCandidates: [Scheme]
    /// Share of a plan's loss that wrong choices may cost for the sake of fewer items a cell; nil measures
    /// all items.
    package var precision: Double?
    /// What stands for KL in the cells; nil measures them.
    package var proxy: ProxySignal?
    /// Whether `adapted` changes the candidates: not where it has done so, or a table is there
    /// already.
    package var adaptsToModel = true

    /// KL of all items in every cell.
    package init(candidates: [Scheme]) {
        self.candidates = candidates
        groupCandidates = candidates == Scheme.automatic ? Scheme.automaticForTypes : candidates
    }

    /// All candidates that `adapted` may give any model.
    package var possibleCandidates: [Scheme] {
        candidates == Scheme.automatic ? candidates + Scheme.automaticRotated : candidates
    }

    /// The same options for a model: automatic candidates have rotated ones beside them where weights have
    /// outliers.
    ///
    /// - Throws: `FileError` where weights cannot be read or encoded.
    package func adapted<Family: ModelFamily>(to model: Model<Family>) throws -> SweepOptions {
        var options = self
        options.adaptsToModel = false
        if adaptsToModel, possibleCandidates != candidates, let gain = try RotationGain.of(model),
            gain > RotationGain.least
        {
            options.candidates = possibleCandidates
        }
        return options
    }
}

/// What a sweep took, in CPU seconds of all threads.
package struct SweepCost: Sendable {
    /// All of it.
    package let allSeconds: Double
    /// Fitting codes to matrices.
    package let encodingSeconds: Double
    /// One run of the whole model over the data, all logits included.
    package let evaluationSeconds: Double
    /// All but encoding.
    package var measuringSeconds: Double { allSeconds - encodingSeconds }
    /// Measuring, as a multiple of one evaluation.
    package var evaluations: Double { measuringSeconds / evaluationSeconds }
}

extension ModelMeasurer {
    /// Every sublayer, alone and by type, under every candidate.
    ///
    /// - Parameters:
    ///   - progress: called with the work that was done so far, and at most will be; see `Sweep.run`.
    ///   - cost: called with what the sweep took.
    package func sweep(
        _ options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in },
        cost: (SweepCost) -> Void = { _ in }
    ) throws -> SweepCells {
        let encodings = cells.encodings
        let start = processSeconds()
        let encoding = encodings.encodingSeconds
        defer {
            cost(
                SweepCost(
                    allSeconds: processSeconds() - start,
                    encodingSeconds: encodings.encodingSeconds - encoding,
                    evaluationSeconds: cells.evaluator.evaluationSeconds))
        }
        if let proxy = options.proxy {
            return try proxyCells(proxy, candidates: options.candidates, progress: progress)
        }
        return try sweep(options).run(
            metric: { try metric(of: $0) }, metricCells: options.metricCells, progress: progress)
    }

    private func sweep(_ options: SweepOptions) -> Sweep<Measurer<Family>> {
        Sweep(
            cells, candidates: options.candidates, precision: options.precision,
            groupCandidates: options.groupCandidates)
    }

    /// Measures a part of a sweep's cells into the store, with the task's metric where the options ask for
    /// that of any cell.
    ///
    /// - Returns: how many cells the part has.
    package func measure(
        _ shard: Shard, of options: SweepOptions, progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Int {
        try sweep(options).measure(
            shard, metric: { if options.metricCells > 0 { _ = try metric(of: $0) } }, progress: progress)
    }

    /// Items of the data that the curvatures of `fisher` are measured on. Random changes lose about the same
    /// everywhere: 30 items order the cells as 100 do.
    package static var curvatureItems: Int { 32 }

    /// A sweep's cells by a proxy.
    ///
    /// - Parameter progress: called with the number of steps done and their total.
    private func proxyCells(
        _ signal: ProxySignal, candidates: [Scheme], progress: (Int, Int) -> Void
    ) throws -> SweepCells {
        let few = Array(data.examples.prefix(Self.curvatureItems))
        let small = Measurer(
            encodings: cells.encodings,
            evaluator: try Evaluator(reference: network, examples: few, threads: options.task.threads),
            unit: options.unit)
        let calibration = try Calibration(
            network, text, fit: options.fit, gathersMoments: true, threads: options.task.threads)
        let sweep = ProxySweep(signal, small, calibration: calibration, candidates: candidates)
        return try sweep.run { progress($0, sweep.steps) }
    }
}
