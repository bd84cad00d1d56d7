import PlanFormat

/// Seconds that one item takes, predicted for any plan from a profile of the machine.
///
///     seconds = sum over sublayers, their products and passes of
///                   calls * kernel(scheme, shape, tokens, working set)
///             + sum over terms of overhead[term] * amount
///
/// One thread, items one at a time. What is read runs once over all its tokens, what is generated once a
/// token.
package struct LatencyModel: Sendable {
    /// The sublayers.
    package let layout: ModelLayout
    private let tables: [Scheme: KernelTable]
    private let overhead: LatencyProfile.OverheadTimes

    /// The seconds of an item, and where they go.
    package struct Prediction: Hashable, Sendable {
        /// Seconds of the products and look-ups of each sublayer, in order of the layout.
        package let products: [Double]
        /// Seconds of everything else.
        package let overhead: Double

        /// All of it.
        package var seconds: Double { products.reduce(overhead, +) }
    }

    /// A model of these sublayers on the machine of `profile`.
    ///
    /// - Throws: `LatencyError` where the profile lacks the family or is impossible, or the layout does not
    ///   say what is run.
    package init(
        _ profile: LatencyProfile, layout: ModelLayout, modelType: String
    ) throws(LatencyError) {
        let tables = try LatencyModel.tables(profile)
        guard layout.work != nil else { throw .noWork }
        guard let overhead = profile.overheads.first(where: { $0.modelType == modelType }) else {
            throw .noFamily(modelType)
        }
        self.layout = layout
        self.overhead = overhead
        self.tables = tables
    }

    /// Checks that a profile is of this version and holds possible numbers.
    ///
    /// - Throws: `LatencyError.otherSchema` or `.badPoint`.
    package static func check(_ profile: LatencyProfile) throws(LatencyError) {
        _ = try tables(profile)
    }

    private static func tables(_ profile: LatencyProfile) throws(LatencyError) -> [Scheme: KernelTable] {
        guard profile.schemaVersion == LatencyProfile.currentSchema else {
            throw .otherSchema(profile.schemaVersion)
        }
        var tables: [Scheme: KernelTable] = [:]
        for times in profile.kernels { tables[times.scheme] = try KernelTable(times) }
        return tables
    }

    /// Bytes that pass through the caches between two uses of a weight.
    package struct WorkingSet: Hashable, Sendable {
        /// All matrices that are multiplied, and what else an item touches.
        package let readBytes: Int
        /// The matrices of every step and prediction, and what else these touch.
        package let stepBytes: Int
    }

    /// What an item touches beside matrices: vectors, scores of the vocabulary, keys and values of a mean
    /// step, all FP32.
    private func otherBytes(_ workload: Workload) -> Int {
        var bytes = 4 * layout.sublayers.reduce(layout.fixedParameters) { $0 + $1.vectorCount }
        for (index, sublayer) in layout.sublayers.enumerated() {
            let parts = layout.work(of: index)
            for product in parts.products where product.pass == .predict {
                bytes += product.matrices.reduce(0) { $0 + 4 * sublayer.matrices[$1].rows }
            }
            for attention in parts.attentions where attention.pass == .step && workload.steps > 0 {
                bytes += Int(8 * Double(attention.width) * attention.pairs(workload) / Double(workload.steps))
            }
        }
        return bytes
    }

    /// The working set of a plan, in order of the layout, for items of a workload.
    package func workingSet(_ schemes: [Scheme], _ workload: Workload) -> WorkingSet {
        let other = otherBytes(workload)
        var (read, step) = (other, other)
        for (place, (sublayer, scheme)) in zip(layout.sublayers, schemes).enumerated() {
            let products = layout.work(of: place).products
            for (index, matrix) in sublayer.matrices.enumerated() {
                let passes = products.filter { $0.matrices.contains(index) }.map(\.pass)
                guard !passes.isEmpty else { continue }
                let bytes = scheme.sizeInBytes(rows: matrix.rows, columns: matrix.columns)
                read += bytes
                if passes.contains(where: { $0 != .read }) { step += bytes }
            }
        }
        return WorkingSet(readBytes: read, stepBytes: step)
    }

    /// The working set of plans of so many bytes, shared out as `schemes` do.
    package func workingSet(
        _ schemes: [Scheme], _ workload: Workload, sizeInBytes: Int
    ) -> WorkingSet {
        let (set, other) = (workingSet(schemes, workload), otherBytes(workload))
        let part = min(1, Double(sizeInBytes) / Double(max(1, layout.sizeInBytes(schemes))))
        func shared(_ bytes: Int) -> Int { other + Int(part * Double(bytes - other)) }
        return WorkingSet(readBytes: shared(set.readBytes), stepBytes: shared(set.stepBytes))
    }

    /// Seconds of an item under a plan, in order of the layout.
    ///
    /// - Throws: `LatencyError.noKernel` where a scheme was not measured.
    package func predict(_ schemes: [Scheme], _ workload: Workload) throws(LatencyError) -> Prediction {
        precondition(schemes.count == layout.sublayers.count, "a scheme for every sublayer")
        let set = workingSet(schemes, workload)
        var products: [Double] = []
        for (index, scheme) in schemes.enumerated() {
            products.append(try productSeconds(of: index, scheme, workload, within: set))
        }
        return Prediction(products: products, overhead: overheadSeconds(workload))
    }

    /// Seconds of the products and look-ups of one sublayer for one item, in a model of that working set.
    ///
    /// - Throws: `LatencyError.noKernel` where the scheme was not measured.
    package func productSeconds(
        of index: Int, _ scheme: Scheme, _ workload: Workload, within set: WorkingSet
    ) throws(LatencyError) -> Double {
        let sublayer = layout.sublayers[index]
        guard !sublayer.matrices.isEmpty else { return 0 }
        guard let table = tables[scheme.kernel] else { throw .noKernel(scheme) }
        let work = layout.work(of: index)
        var seconds = 0.0
        for product in work.products {
            let calls = workload.calls(product.pass)
            guard calls > 0 else { continue }
            var once = 0.0
            for (place, matrix) in product.matrices.map({ sublayer.matrices[$0] }).enumerated() {
                let time = table.seconds(
                    rows: matrix.rows, columns: matrix.columns, tokens: workload.tokens(product.pass),
                    workingSetBytes: product.pass == .read ? set.readBytes : set.stepBytes)
                let isShared = place > 0 && overhead.sharesPreparations
                once += time.product - (isShared ? time.preparation : 0)
            }
            seconds += Double(calls) * once
        }
        for pass in work.lookups {
            let rows = workload.calls(pass) * workload.tokens(pass)
            seconds += Double(rows) * table.lookupSeconds(columns: sublayer.matrices[0].columns)
        }
        return seconds
    }

    /// Seconds of everything but products, whatever the plan.
    package func overheadSeconds(_ workload: Workload) -> Double {
        layout.overhead(of: workload).reduce(0) {
            $0 + $1.value * (overhead.seconds[$1.key.rawValue] ?? 0)
        }
    }
}
