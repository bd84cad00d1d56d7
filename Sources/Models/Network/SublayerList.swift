import BitplanKernels
import BitplanTensors
import PlanFormat

/// The sublayers of a network in order of execution, the embedding first: all that is to be said of a
/// network's structure.
package struct SublayerList: Sendable {
    /// A sublayer with its name and what it has read.
    package struct Entry: Sendable {
        /// Kind and depth.
        package let name: SublayerName
        /// Its matrices, in the order in which it reads them.
        package let matrices: [MatrixShape]
        /// Its biases and norms.
        package let vectors: [(name: String, count: Int)]
        /// What runs.
        let sublayer: any Sublayer
    }

    /// In order of execution.
    package private(set) var entries: [Entry] = []
    /// The weights that the sublayers are made of; nil for an outline, which has shapes alone.
    private let weights: WeightTable?

    /// An empty list, whose sublayers will read `weights`.
    init(_ weights: WeightTable?) { self.weights = weights }

    /// Appends the sublayer that `make` makes of the weights.
    ///
    /// - Throws: `MissingWeight` where it reads a weight that is not there.
    @discardableResult
    mutating func append<Made: Sublayer>(
        _ kind: SublayerKind, depth: Int? = nil,
        _ make: (inout ParameterReader) throws(MissingWeight) -> Made
    ) throws(MissingWeight) -> Made {
        var reader = ParameterReader(weights)
        let sublayer = try make(&reader)
        entries.append(
            Entry(
                name: SublayerName(kind, depth: depth), matrices: reader.matrices, vectors: reader.vectors,
                sublayer: sublayer))
        return sublayer
    }

    /// Names and lengths of what is not a matrix: biases and norms.
    package var vectors: [(name: String, count: Int)] { entries.flatMap(\.vectors) }

    /// What the planner needs to know of the list.
    var layout: ModelLayout {
        var kinds: [SublayerKind: SublayerWork] = [:]
        var others: [SublayerName: SublayerWork] = [:]
        for entry in entries {
            let work = entry.sublayer.work
            if kinds[entry.name.kind, default: work] != work { others[entry.name] = work }
            if kinds[entry.name.kind] == nil { kinds[entry.name.kind] = work }
        }
        return ModelLayout(
            sublayers: entries.map { SublayerShape(name: $0.name, matrices: $0.matrices) },
            fixedParameters: vectors.reduce(0) { $0 + $1.count },
            work: ModelWork(kinds: kinds, sublayers: others))
    }
}
