import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat

/// Encodes a whole model as a plan says, as the packed model will have it.
///
/// Calibrated codes are fitted in order of execution: every matrix sees the inputs Z that reach it through
/// the layers already quantized, and aims at what the full-precision layer makes of its own inputs X. So it
/// makes up for errors that already happened, which codes fitted alone (as the cells of a table are) cannot.
/// Other codes depend on their matrix only.
package struct PlanEncoder<Family: ModelFamily>: Sendable {
    private let encodings: Encodings<Family>
    private let network: Family.Net
    private let batches: [[Family.Net.Example]]
    private let calibration: Calibration
    private let threads: Int
    private let trails: EncodingTrails

    /// An encoder of `encodings.model`.
    ///
    /// - Parameters:
    ///   - network: the model in full precision.
    ///   - text: calibration text; `calibration` is what `network` says of it.
    package init(
        _ encodings: Encodings<Family>, _ network: Family.Net, text: [Family.Net.Example],
        calibration: Calibration,
        threads: Int
    ) {
        self.encodings = encodings
        self.network = network
        self.calibration = calibration
        self.threads = threads
        let size = OutputCurvature.batchSize
        let batches = stride(from: 0, to: text.count, by: size).map {
            Array(text[$0..<min($0 + size, text.count)])
        }
        self.batches = batches
        // Codes that are fitted alone need no activations, and may be fitted without weights.
        let stateBytes =
            encodings.fit.isCalibrated
            ? batches.first.map { network.start($0).sizeInBytes * batches.count } ?? 0 : 0
        trails = EncodingTrails(
            sublayers: network.layout.sublayers.count, stateBytes: stateBytes / network.layout.stacks)
    }

    /// Bytes of activations, about, that an encoder keeps from one plan to the next, where a text's take
    /// `stateBytes` before a sublayer.
    package static func activationBytes(_ layout: ModelLayout, stateBytes: Int) -> Int {
        EncodingTrails.bytes(sublayers: layout.sublayers.count, stateBytes: stateBytes / layout.stacks)
    }

    /// Whether matrices are encoded in order of execution, each behind those before it: calibrated codes are,
    /// others depend on their matrix only.
    package var isInOrder: Bool { encodings.fit.isCalibrated && !batches.isEmpty }

    /// The packed matrices of a plan, by tensor.
    ///
    /// - Complexity: for calibrated codes about three runs over the text, and the encoding of every matrix; a
    ///   plan that begins as an earlier one goes on from there, and one that was encoded lately is not
    ///   encoded again.
    package func encode(_ schemes: TensorSchemes) throws -> [String: PackedMatrix] {
        let sublayers = network.layout.sublayers
        var packed: [String: PackedMatrix] = [:]
        guard isInOrder else {
            for shape in sublayers.flatMap(\.matrices) {
                packed[shape.tensor] = try encodings.packed(shape, schemes[shape.tensor])
            }
            return packed
        }
        if let known = trails.plan(schemes) { return known }
        var trail = trails.beginning(schemes, sublayers)
        packed = trail.packed
        var quantized = try network.replacing(
            [:], vectors: try encodings.model.storedVectors(as: schemes.vectors))
        for sublayer in sublayers.prefix(trail.states.count) {
            quantized = try quantized.replacing(try Self.small(sublayer, packed))
        }
        if trail.states.isEmpty {
            // Before the first sublayer that `advance` runs: embeddings and what belongs to them, fitted to
            // full-precision inputs. They are only looked up by row here, which needs no decoded copy.
            for shape in sublayers[0].matrices {
                packed[shape.tensor] = try encodings.packed(shape, schemes[shape.tensor])
            }
            quantized = try quantized.replacing(try Self.small(sublayers[0], packed))
            trail.states.append(try advance(nil, 0, quantized))
        }
        for index in trail.states.count..<sublayers.count {
            let exact = try trails.exact(before: index) { try advance($0, $1, network) }
            let rounded = trail.states[index - 1]
            var waiting = sublayers[index].matrices
            while let shape = waiting.first {
                // Queries, keys and values have one input: what is known of it is found in one run.
                let coded = waiting.filter { !schemes[$0.tensor].isFullPrecision }
                let known =
                    coded.first == shape
                    ? try moments(shape, among: coded, index, exact, rounded, quantized) : [:]
                // The activations that they were made of would stay beside what the fit takes.
                returnFreedMemory()
                let group = known.isEmpty ? [shape] : waiting.filter { known[$0.tensor] != nil }
                let matrices = try concurrentMap(
                    count: group.count, threads: shape.count <= Encodings<Family>.smallMatrix ? threads : 1
                ) { place in
                    let shape = group[place]
                    guard let moments = known[shape.tensor] else {
                        return try encodings.packed(shape, schemes[shape.tensor])
                    }
                    var context = calibration.context(shape)
                    (context.moments, context.crossMoments) = (moments.moments, moments.cross)
                    return try Quantizer.encode(
                        try encodings.model.matrix(shape), as: schemes[shape.tensor], fit: encodings.fit,
                        context: context)
                }
                for (shape, matrix) in zip(group, matrices) { try take(matrix, shape, &packed, &quantized) }
                waiting.removeAll { group.contains($0) }
            }
            if index + 1 < sublayers.count { trail.states.append(try advance(rounded, index, quantized)) }
            quantized = try quantized.replacing(try Self.small(sublayers[index], packed))
        }
        trail.packed = packed
        trails.keep(trail)
        return packed
    }

    /// A sublayer's matrices as they are packed: what lies behind is not run again, and that is the least
    /// that has its place.
    private static func small(
        _ sublayer: SublayerShape, _ packed: [String: PackedMatrix]
    ) throws -> [String: any LinearOperator] {
        var matrices: [String: any LinearOperator] = [:]
        for shape in sublayer.matrices {
            matrices[shape.tensor] = try packed[shape.tensor].map { try LinearOperators.make($0) }
        }
        return matrices
    }

    private func take(
        _ matrix: PackedMatrix, _ shape: MatrixShape, _ packed: inout [String: PackedMatrix],
        _ quantized: inout Family.Net
    ) throws {
        packed[shape.tensor] = matrix
        quantized = try quantized.replacing([shape.tensor: try LinearOperators.measuring(matrix)])
    }

    /// The states behind a sublayer, given those before it; the first has none before it.
    private func advance(
        _ states: [NetworkState]?, _ index: Int, _ network: Family.Net
    ) throws -> [NetworkState] {
        try concurrentMap(count: batches.count, threads: threads) { batch in
            guard let states else { return network.start(batches[batch]) }
            return network.advance(states[batch], through: index, observing: nil)
        }
    }

    /// Z'Z and X'Z of a matrix's inputs.
    private struct Moments {
        var moments: Matrix
        var cross: Matrix

        mutating func add(_ other: Moments) {
            moments.add(other.moments)
            cross.add(other.cross)
        }
    }

    /// The moments of a matrix's input, tokens weighted as its curvature has it, by tensor: its own and those
    /// of the `others` that are multiplied with the same; none where its sublayer does not multiply with it
    /// (a head, a projection).
    private func moments(
        _ shape: MatrixShape, among others: [MatrixShape], _ index: Int, _ exact: [Family.Net.State],
        _ rounded: [Family.Net.State], _ quantized: Family.Net
    ) throws -> [String: Moments] {
        let tensors = Set(others.map(\.tensor))
        // What is multiplied with these inputs comes behind them.
        var free: [String: any LinearOperator] = [:]
        for other in others { free[other.tensor] = FreeOperator(rows: other.rows, columns: other.columns) }
        let (exactNetwork, roundedNetwork) = (try network.replacing(free), try quantized.replacing(free))
        var total: [String: Moments]?
        // A round at a time, so that few sums are in memory; rounds of fixed size, so that the order of sums
        // is fixed.
        for first in stride(from: 0, to: batches.count, by: 4) {
            let sums = try concurrentMap(count: min(4, batches.count - first), threads: threads) {
                moments(
                    shape, among: tensors, index, (exactNetwork, exact[first + $0]),
                    (roundedNetwork, rounded[first + $0]), batch: first + $0)
            }
            for sum in sums {
                guard let all = total else {
                    total = sum
                    continue
                }
                total = all.filter { sum[$0.key] != nil }
                for (tensor, moments) in sum { total?[tensor]?.add(moments) }
            }
        }
        return total ?? [:]
    }

    private func moments(
        _ shape: MatrixShape, among others: Set<String>, _ index: Int,
        _ exact: (network: Family.Net, state: NetworkState),
        _ rounded: (network: Family.Net, state: NetworkState), batch: Int
    ) -> [String: Moments] {
        guard let x = input(shape.tensor, exact.network, exact.state, index),
            let z = input(shape.tensor, rounded.network, rounded.state, index)
        else { return [:] }
        func moments(_ x: Matrix, _ z: Matrix) -> Moments {
            let transposed = z.transposed()
            let product = DenseMatrix(transposed)
            return Moments(moments: product(transposed), cross: product(x.transposed()))
        }
        var result: [String: Moments] = [:]
        var unweighted: Moments?
        for tensor in x.tensors.intersection(z.tensors).intersection(others) {
            if let weights = calibration.curvature.weights[tensor]?[batch] {
                result[tensor] = moments(x.input.weighing(rows: weights), z.input.weighing(rows: weights))
            } else {
                unweighted = unweighted ?? moments(x.input, z.input)
                result[tensor] = unweighted
            }
        }
        return result
    }

    /// What a matrix of sublayer `index` is multiplied with, and all that are multiplied with the same.
    private func input(_ tensor: String, _ network: Family.Net, _ state: Family.Net.State, _ index: Int)
        -> (input: Matrix, tensors: Set<String>)?
    {
        var inputs: [(tensor: String, input: Matrix)] = []
        let observer = ForwardObserver { name, x in inputs.append((name, x)) }
        _ = network.advance(state, through: index, observing: observer)
        guard let input = inputs.last(where: { $0.tensor == tensor })?.input else { return nil }
        return (input, Set(inputs.filter { $0.input == input }.map(\.tensor)))
    }
}

extension ModelLayout {
    /// Stacks of sublayers: one has its activations changed by a sublayer, the others keep theirs.
    fileprivate var stacks: Int { max(1, Set(sublayers.compactMap(\.name.kind.stack)).count) }
}

extension Matrix {
    /// Every row times the root of its weight, so that it counts so much in second moments.
    fileprivate func weighing(rows weights: [Float]) -> Matrix {
        var result = self
        for (row, weight) in zip(0..<rows, weights) {
            let root = weight.squareRoot()
            for index in row * columns..<(row + 1) * columns { result.storage[index] *= root }
        }
        return result
    }
}
