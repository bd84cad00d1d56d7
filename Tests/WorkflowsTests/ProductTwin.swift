import BitplanEncoding
import BitplanKernels
import BitplanMetrics
import BitplanModels
import BitplanQuantizers
import BitplanSensitivity
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat
import Synchronization
import Testing

/// A packed matrix in its network, whose every product and look-up is compared with the twin: the decoded
/// weights times activations that are rounded as the scheme says, summed in double precision.
///
/// The results that go on are the packed matrix's own, so that each product is compared on the inputs that it
/// has in the packed model, and no difference grows from one layer to the next.
final class ComparedOperator: LinearOperator {
    let rows: Int
    let columns: Int
    private let packed: any LinearOperator
    private let weights: Matrix
    /// The weights as products have them.
    private let multiplied: Matrix
    private let rounding: ActivationTwin
    private let deviation = Mutex(0.0)

    init(_ matrix: PackedMatrix) throws {
        rows = matrix.rows
        columns = matrix.columns
        packed = try LinearOperators.make(matrix)
        weights = try Quantizer.decode(matrix)
        multiplied = try Self.multiplied(matrix)
        rounding = ActivationTwin(matrix)
    }

    /// The decoded weights, those of NF4 with the levels that products have where rows are whole blocks:
    /// rounded to 2047ths.
    private static func multiplied(_ matrix: PackedMatrix) throws -> Matrix {
        var weights = try Quantizer.decode(matrix)
        guard case .normalFloat(let scheme) = matrix.scheme,
            scheme.isInterleaved(columns: matrix.columns)
        else { return weights }
        let codes = try matrix.inPlainOrder().part("codes").bytes
        for index in weights.storage.indices {
            let code = codes[codes.startIndex + index / 2] >> UInt8(index % 2 * 4) & 15
            let level = NormalFloatLevels.values[Int(code)]
            guard level != 0 else { continue }
            weights.storage[index] *= Float((level * 2047).rounded() / 2047 / level)
        }
        return weights
    }

    /// The largest deviation so far, as a share of what as many roundings to FP32 as there are columns, and a
    /// few for scales, may leave of the largest weight of a row times the magnitudes of the activations.
    var largestDeviation: Double { deviation.withLock { $0 } }

    var residentBytes: Int { packed.residentBytes }

    func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        packed.multiply(x, tokens: tokens, into: y)
        for token in 0..<tokens {
            let rounded = rounding.rounded(
                Array(UnsafeBufferPointer(start: x + token * columns, count: columns)))
            let size = rounded.reduce(0) { $0 + abs($1) }
            for row in 0..<rows {
                let weights = multiplied[row: row]
                let sum = zip(weights, rounded).reduce(0) { $0 + Double($1.0) * $1.1 }
                note(Double(y[token * rows + row]) - sum, of: largest(weights) * size)
            }
        }
    }

    func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        packed.copyRow(row, into: destination)
        let size = largest(weights[row: row])
        for (column, weight) in weights[row: row].enumerated() {
            note(Double(destination[column]) - Double(weight), of: size)
        }
    }

    private func largest(_ weights: ArraySlice<Float>) -> Double {
        Double(weights.reduce(0) { max($0, abs($1)) })
    }

    private func note(_ difference: Double, of size: Double) {
        guard difference != 0 else { return }
        let bound = Double(columns + 16) * 0x1p-24 * size
        deviation.withLock { $0 = max($0, abs(difference) / bound) }
    }
}

/// How a scheme's product takes its activations, as its description says.
private struct ActivationTwin {
    private let activations: Activations
    /// The largest rounded activation, of binary codes the largest sum of four neighbours' magnitudes.
    private let limit: Float
    private let sumsFour: Bool
    /// Consecutive columns that are rounded by one scale.
    private let run: Int
    private let columnScales: [Float]

    init(_ matrix: PackedMatrix) {
        var activations = matrix.scheme.family.activations
        precondition(matrix.columns <= 256, "longer rows are rounded in runs")
        run = max(1, min(matrix.scheme.family.columnsPerScale ?? matrix.columns, matrix.columns))
        switch (matrix.scheme, activations) {
        case (.normalFloat(let scheme), _) where scheme.isInterleaved(columns: matrix.columns):
            limit = Float(min(32639, Int(Int32.max) / (2047 * run)))
        case (.normalFloat, _): (activations, limit) = (.fp32, 0)
        // Codes of 16 bits leave room for the rounding of the high byte.
        case (_, .rounded(bits: 16)): limit = 32639
        case (_, .rounded): limit = 4093
        default: limit = 0
        }
        self.activations = activations
        sumsFour = activations == .rounded(bits: 12)
        columnScales =
            matrix.parts["columnScales"].map { $0.floats }
            ?? [Float](repeating: 1, count: matrix.columns)
    }

    /// What the decoded weights are multiplied with where the activations are `x`.
    func rounded(_ x: [Float]) -> [Double] {
        switch activations {
        case .fp32: return x.map { Double($0) }
        case .rounded:
            var values = zip(x, columnScales).map { $0 * $1 }
            for start in stride(from: 0, to: x.count, by: run) {
                let columns = start..<min(start + run, x.count)
                let largest =
                    sumsFour
                    ? sumsOfFour(values, columns).max() ?? 0 : values[columns].reduce(0) { max($0, abs($1)) }
                for column in columns where largest > 0 {
                    let code = (values[column] * (limit / largest)).rounded(.toNearestOrEven)
                    values[column] = code * (largest / limit) / columnScales[column]
                }
            }
            return values.map { Double($0) }
        case .quantized(let bits, let normalized):
            let x = normalized ? Self.normalized(x) : x
            let largest = x.reduce(0) { max($0, abs($1)) }
            guard bits > 1 else { return x.map { $0 > 0 ? 1 : -1 } }
            let top = Float(1 << (bits - 1) - 1)
            // BitNet divides by a power of two and cuts the largest code.
            let parts = normalized ? top + 1 : top
            return x.map {
                let code = largest == 0 ? 0 : ($0 * (parts / largest)).rounded(.toNearestOrEven)
                return Double(min(max(code, -top), top)) * Double(largest / parts)
            }
        }
    }

    /// The magnitudes of the columns that share a nibble of a stored byte, added; of those in `columns`
    /// alone.
    private func sumsOfFour(_ values: [Float], _ columns: Range<Int>) -> [Float] {
        stride(from: columns.lowerBound / 4 * 4, to: columns.upperBound, by: 4).map { first in
            let four = (first..<first + 4).map { columns.contains($0) ? abs(values[$0]) : 0 }
            return (four[0] + four[1]) + (four[2] + four[3])
        }
    }

    /// Less the mean, divided by the standard deviation.
    private static func normalized(_ x: [Float]) -> [Float] {
        let count = Double(x.count)
        let mean = Float(x.reduce(0.0) { $0 + Double($1) } / count)
        let variance = x.reduce(0.0) { $0 + Double($1 - mean) * Double($1 - mean) } / count
        let factor = Float(1 / (variance + 1e-5).squareRoot())
        return x.map { ($0 - mean) * factor }
    }
}

/// A packed directory that training wrote, held to what it was written from.
///
/// Two comparisons stand for one of the packed model's loss with the trained model's, which says little where
/// random weights make much of a rounding: the decoded weights give the loss that training measured, and
/// every product that the packed model computes is that of the decoded weights.
struct PackedDirectory<Family: ModelFamily> {
    let opened: PackedModel<Family>
    private let evaluator: Evaluator<Family.Net>

    init(_ directory: URL, of model: URL, heldOut: DataSource) throws {
        opened = try PackedModel<Family>(directory: directory)
        evaluator = try Evaluator(
            reference: try Model<Family>(directory: model).network(),
            examples: try opened.family.task.dataset(heldOut.files, limit: nil, windows: nil).examples)
    }

    /// The loss on held-out items over what `make` makes of the packed matrices.
    private func loss(_ make: (PackedMatrix) throws -> any LinearOperator) throws -> Double {
        var matrices: [String: any LinearOperator] = [:]
        for shape in opened.family.layout.sublayers.flatMap(\.matrices) {
            matrices[shape.tensor] = try make(try opened.packed(shape))
        }
        let network = try opened.family.network(
            WeightTable(matrices: matrices, vectors: try opened.vectors()))
        return LossMeasurement(try evaluator.losses(of: network)).klNats
    }

    /// Expects both of the run of training that wrote the directory.
    func expectWhatTrainingLeft(_ log: TrainingLog, _ comment: Comment) throws {
        let best = try #require(log.points.map(\.heldOut).min())
        #expect(best <= log.points[0].heldOut, comment)
        #expect(try decodedLoss() == best, comment)
        let (packed, deviation) = try comparedLoss()
        #expect(packed == log.packedHeldOut, comment)
        #expect(deviation <= 1, "\(comment): a product or a look-up deviates by \(deviation) of its bound")
    }

    /// Of the decoded weights, activations quantized where the scheme does.
    private func decodedLoss() throws -> Double {
        try loss {
            TrainingMatrix(try Quantizer.decode($0), activations: $0.scheme.family.activations)
        }
    }

    /// Of the packed weights, and the largest deviation of a product or a look-up from its twin.
    private func comparedLoss() throws -> (loss: Double, deviation: Double) {
        var compared: [ComparedOperator] = []
        let loss = try loss {
            let matrix = try ComparedOperator($0)
            compared.append(matrix)
            return matrix
        }
        return (loss, compared.reduce(0) { max($0, $1.largestDeviation) })
    }
}
